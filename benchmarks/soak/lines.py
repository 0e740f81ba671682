"""Lines of the table that the long tests print."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """One figure beside its goal; `more` says what a failure was, in words."""

    what: str
    measured: str
    goal: str
    met: bool
    more: str = ""

    def __str__(self) -> str:
        """The line as it is printed."""
        text = f"{self.what:76s} {self.measured:>14s} {self.goal:>12s}  {'yes' if self.met else 'NO'}"
        return f"{text}\n    {self.more}" if self.more else text


HEADING = f"{'what':76s} {'measured':>14s} {'goal':>12s}  met"
