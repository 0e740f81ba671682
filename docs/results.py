"""Make the tables under ``docs/results`` from what ``abp study ... --json STUDY.json`` wrote.

``python docs/results.py STUDY.json`` writes ``NAME-methods.csv`` and ``NAME-claims.csv``, where NAME is the data set's,
and prints both as the README has them.
"""

import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd

RESULTS = Path(__file__).with_name("results")
LISTS = ("density", "live_neurons", "ranks", "stable_ranks", "effective_ranks")
VERDICTS = ("claim", "title", "criterion", "amount", "seeds", "verdict", "words")


def main() -> None:
    """Write and print the tables of one study."""
    study = json.loads(Path(sys.argv[1]).read_text())
    RESULTS.mkdir(exist_ok=True)
    for name in {row["dataset"] for row in study["rows"]}:
        rows = [row for row in study["rows"] if row["dataset"] == name]
        claims = [claim for claim in study["claims"] if claim["dataset"] == name]
        pd.DataFrame([_flat(row) for row in rows]).round(5).to_csv(RESULTS / f"{name}-methods.csv", index=False)
        chosen = [{part: claim[part] for part in VERDICTS} for claim in claims]
        pd.DataFrame(chosen).to_csv(RESULTS / f"{name}-claims.csv", index=False)
        print(_methods(rows), _claims(claims), sep="\n\n")


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """A row without lists and parts: a value per layer as one text, a difference as its mean and interval."""
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, dict):
            flat |= {f"{name}_{part}": each for part, each in value.items()}
        else:
            flat[name] = " ".join(f"{each:.4g}" for each in value) if name in LISTS else value
    return flat


def _methods(rows: list[dict[str, Any]]) -> str:
    lines = [
        "| | test accuracy | against dense | against magnitude | epochs | mean ranks | time |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        amount = f" {100 * row['amount']:g} %" if row["amount"] else ""
        nuclear = f" + nuclear norm {row['nuclear']:g}" if row["nuclear"] else ""
        accuracy = f"{100 * row['test_accuracy_mean']:.2f} ± {100 * row['test_accuracy_std']:.2f} %"
        ranks = " ".join(f"{rank:.0f}" for rank in row["ranks"])
        time = f"{row['latency_ratio']:.2f}" if "latency_ratio" in row else ""
        cells = (
            f"`{row['criterion']}`{amount}{nuclear}",
            accuracy,
            _difference(row["difference_from_dense"]) if row["criterion"] != "none" else "",
            _difference(row["difference_from_magnitude"]) if row["criterion"] not in ("none", "magnitude") else "",
            f"{row['epochs_mean']:.0f}",
            ranks,
            time,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _difference(found: dict[str, float | None]) -> str:
    if found["mean"] is None or found["low"] is None or found["high"] is None:
        return ""
    mean, low, high = (f"{100 * found[part]:+.2f}".replace("-", "−") for part in ("mean", "low", "high"))  # type: ignore[operator]
    return f"{mean} [{low}, {high}]"


def _claims(claims: list[dict[str, Any]]) -> str:
    """A row per claim, a column per criterion and amount."""
    table = pd.DataFrame(claims)
    table["case"] = [f"`{row.criterion}` {100 * row.amount:g} %" for row in table.itertuples()]
    wide = table.pivot(index="title", columns="case", values="verdict")[table["case"].unique()]
    wide = wide.loc[table["title"].unique()]
    lines = [f"| | {' | '.join(wide.columns)} |", "| --- |" + " --- |" * len(wide.columns)]
    lines += [f"| {title} | {' | '.join(row)} |" for title, row in zip(wide.index, wide.to_numpy(), strict=True)]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
