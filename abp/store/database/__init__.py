"""The database below the repositories: a SQLite file, or PostgreSQL for workers on several hosts.

What the two do differently stands in `sqlite` and `postgresql`; all else speaks SQL that both understand.
"""

from abp.store.database.database import Database, is_id, put, put_new
from abp.store.database.errors import StoreBusy, StoreFull, StoreUnreachable, StoreUnusable
from abp.store.database.location import exists, located
from abp.store.database.retrying import PATIENCE, once, patient
from abp.store.database.sqlite import database_path

__all__ = [
    "PATIENCE",
    "Database",
    "StoreBusy",
    "StoreFull",
    "StoreUnreachable",
    "StoreUnusable",
    "database_path",
    "exists",
    "is_id",
    "located",
    "once",
    "patient",
    "put",
    "put_new",
]
