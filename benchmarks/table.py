"""The table that the benchmarks print."""


def show(what: str, measured: str | float, goal: str | float = "") -> None:
    """One line of it; numbers are ratios."""
    measured, goal = (f"{value:.2f} x" if isinstance(value, float) else value for value in (measured, goal))
    print(f"{what:66s} {measured:>10s} {goal:>8s}", flush=True)
