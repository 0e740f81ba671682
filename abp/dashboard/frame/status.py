"""The status of a run in words."""

from typing import Literal

from abp.store.records import Command, Run, Status

Colour = Literal["gray", "orange", "blue", "green", "red"]

STATUS: dict[str, tuple[str, str, Colour]] = {
    Status.QUEUED: ("Queued", ":material/hourglass_empty:", "gray"),
    Status.RUNNING: ("Running", ":material/sync:", "orange"),
    Status.PAUSED: ("Paused", ":material/pause_circle:", "blue"),
    Status.FINISHED: ("Finished", ":material/check_circle:", "green"),
    Status.STOPPED: ("Stopped", ":material/stop_circle:", "gray"),
    Status.DIVERGED: ("Diverged", ":material/trending_up:", "red"),
    Status.FAILED: ("Failed", ":material/error:", "red"),
    Status.INTERRUPTED: ("Interrupted", ":material/power_off:", "orange"),
}
"""Word, icon and colour of each status."""

ENDED_BY = {
    "stop-accuracy": "the target training accuracy was reached",
    "early-stopping": "the validation loss stopped falling",
    "fine-tuned": "fine-tuning after the last pruning was completed",
    "epochs": "all epochs were completed",
    "hand": "a user pressed Stop",
    "elsewhere": "it was trained elsewhere and read from a file",
}


def sentence(run: Run, command: Command | None) -> str:
    """The outcome of the last command, or the state of the run.

    Parameters
    ----------
    command
        The newest command, if there is any.
    """
    if run.active:
        left = f" Scheduled prunings left: {run.scheduled_left}." if run.scheduled_left else ""
        return (run.message or _answer(run, command)) + left
    missing = f" Scheduled prunings not reached: {run.scheduled_left}." if run.scheduled_left else ""
    if run.message:
        return run.message + missing
    if run.status == Status.INTERRUPTED:
        return "The worker was lost. Press Resume to continue from the last checkpoint."
    return f"{STATUS[run.status][0]}: {ENDED_BY.get(run.stopped_by or '', run.stopped_by)}.{missing}"


def _answer(run: Run, command: Command | None) -> str:
    if command is not None:
        return command.outcome or "Command sent; waiting for the worker."
    if run.status == Status.QUEUED:
        return "Waiting for a worker, which takes some seconds just after the dashboard has started."
    return "Following the schedule; you can prune by hand at any time."
