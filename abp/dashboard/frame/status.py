"""How a run stands, in words."""

from typing import Literal

from abp.store.records import Command, Run

Colour = Literal["gray", "orange", "blue", "green", "red"]

STATUS: dict[str, tuple[str, str, Colour]] = {
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

ENDED_BY = {
    "stop-accuracy": "the training accuracy was reached",
    "early-stopping": "the validation loss no longer fell",
    "fine-tuned": "it was fine-tuned after its last pruning",
    "epochs": "all epochs were done",
    "hand": "stopped by a user",
}


def sentence(run: Run, command: Command | None) -> str:
    """What came of the last command, or how the run stands.

    Parameters
    ----------
    command
        The newest one, if there was any.
    """
    if run.active:
        left = f" Scheduled prunings to come: {run.scheduled_left}." if run.scheduled_left else ""
        return (run.message or _answer(run, command)) + left
    missing = f" Prunings it did not reach: {run.scheduled_left}." if run.scheduled_left else ""
    if run.message:
        return run.message + missing
    if run.status == "interrupted":
        return "Its worker is gone. All but the last moments is kept: press Resume to go on from its checkpoint."
    return f"{STATUS[run.status][0]}: {ENDED_BY.get(run.stopped_by or '', run.stopped_by)}.{missing}"


def _answer(run: Run, command: Command | None) -> str:
    if command is not None:
        return command.outcome or "Asked; the answer comes in a moment."
    if run.status == "queued":
        return "Waiting for a worker: a moment, or some seconds just after the dashboard has started."
    return "Follows the schedule; prune by hand at any moment."
