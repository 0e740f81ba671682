"""How the status of a run is shown, the same on every page."""

STATUS = {
    "queued": ("Queued", ":material/hourglass_empty:", "gray"),
    "running": ("Running", ":material/sync:", "orange"),
    "paused": ("Paused", ":material/pause_circle:", "blue"),
    "finished": ("Finished", ":material/check_circle:", "green"),
    "stopped": ("Stopped", ":material/stop_circle:", "gray"),
    "diverged": ("Diverged", ":material/trending_up:", "red"),
    "failed": ("Failed", ":material/error:", "red"),
    "interrupted": ("Interrupted", ":material/power_off:", "orange"),
}
"""Word, icon and colour of each status."""
