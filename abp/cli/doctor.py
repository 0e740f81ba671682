"""``abp doctor``: what is well with this installation, what is not, and what to do."""

import argparse
import sys
from dataclasses import asdict

from abp.cli.output import require_json_target, write_json
from abp.health import State, examine

_SIGNS = {State.WELL: "ok   ", State.NOTE: "note ", State.PROBLEM: "WRONG"}


def run(options: argparse.Namespace) -> int:
    """Print a line for each thing that was looked at; the exit status: 1 if something is wrong."""
    require_json_target(options.json)
    findings = examine()
    for each in findings:
        print(f"{_SIGNS[each.state]} {each.subject}: {each.found}", file=sys.stderr)
        if each.advice:
            print(f"      {each.advice}", file=sys.stderr)
    wrong = sum(each.state is State.PROBLEM for each in findings)
    print(_verdict(wrong), file=sys.stderr)
    write_json(options.json, {"well": not wrong, "findings": [asdict(each) for each in findings]})
    return int(bool(wrong))


def _verdict(wrong: int) -> str:
    if not wrong:
        return "All is well."
    return "One thing is wrong." if wrong == 1 else f"{wrong} things are wrong."
