"""Upkeep: backups of the whole database, restoring them, and making room."""
