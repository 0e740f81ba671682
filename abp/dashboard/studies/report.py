"""A study as one self-contained HTML page, which can be read without this software and without a network."""

import html
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from abp.dashboard.charts.charts import svg
from abp.dashboard.studies import charts as study_charts
from abp.data.datasets import DATASETS
from abp.studies import typesetting
from abp.studies.comparison import Results
from abp.studies.registry import StudyRecord
from abp.studies.verdicts import verdicts

_STYLE = Path(__file__).with_name("report.css").read_text(encoding="utf-8")


def report(
    record: StudyRecord, runs: pd.DataFrame, cells: pd.DataFrame, found: Results, conclusions: list[str]
) -> bytes:
    """The page, UTF-8.

    Parameters
    ----------
    runs, cells
        As `abp.studies.comparison.run_table` and `table` make them.
    conclusions
        What the data show, in sentences with Markdown's ``**bold**``.
    """
    parts = [f"<h1>{html.escape(record.name)}</h1>", _about(record, runs)]
    parts += [f"<p>{_bold(sentence)}</p>" for sentence in conclusions]
    for dataset in record.study.datasets:
        parts += _dataset(dataset, runs[runs["dataset"] == dataset], cells[cells["dataset"] == dataset])
    parts.append(_claims(found))
    parts.append(f"<h2>All runs</h2>{_table(runs.drop(columns=['counts']))}")
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{html.escape(record.name)}</title><style>{_STYLE}</style></head><body>{''.join(parts)}</body></html>"
    )
    return page.encode()


def _about(record: StudyRecord, runs: pd.DataFrame) -> str:
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    total = len(record.study.cells()) * len(record.study.seeds)
    done = int(runs["counts"].sum())
    seeds, prunings = len(record.study.seeds), record.study.prunings
    return (
        f"<p>{done} of {total} runs, {seeds} seeds, {prunings} prunings; created with ABP Lab on {day}. Test "
        "accuracy is only reported: no run was stopped, tuned or selected by it. Results on data sets of this size "
        "need not carry over to large networks.</p>"
    )


def _dataset(dataset: str, runs: pd.DataFrame, cells: pd.DataFrame) -> list[str]:
    parts = [f"<h2>{html.escape(DATASETS[dataset].title)}</h2>"]
    counting = runs[runs["counts"]]
    if counting.empty:
        return [*parts, "<p>No run has finished yet.</p>"]
    named = study_charts.named(counting)
    title = study_charts.accuracies_title(named)
    parts += [f"<h3>{title}</h3>", svg(study_charts.accuracies(named).properties(width=720))]
    note = typesetting.sentence(DATASETS[cells["dataset"].iloc[0]].title, cells["seeds"].tolist())
    parts += ["<h3>Results by method</h3>", *_halves(study_charts.readable(cells)), f"<p>{html.escape(note)}</p>"]
    densities = study_charts.densities(cells)
    if len(densities):
        parts += ["<h3>Density of each layer</h3>", svg(study_charts.density(densities).properties(width=720))]
    table = study_charts.costs(counting)
    parts += ["<h3>Accuracy against FLOPs</h3>", svg(study_charts.cost_chart(table, "flops").properties(width=720))]
    return parts


def _claims(found: Results) -> str:
    judged = verdicts(found)
    if not judged:
        return ""
    tests = sum(verdict.p is not None for verdict in judged)
    note = typesetting.verdicts_sentence([verdict.seeds for verdict in judged], tests)
    table = study_charts.verdict_table(judged).assign(Reason=[verdict.words for verdict in judged])
    return f"<h2>The paper's claims</h2>{_table(table)}<p>{html.escape(note)}</p>"


def _halves(table: pd.DataFrame) -> list[str]:
    """A wide table as two that fit on a page: accuracy and its differences, then what each method costs."""
    first = list(table.columns).index("Sparsity")
    names = ["Method", "Amount"]
    return [_table(table.iloc[:, :first]), _table(table[[*names, *table.columns[first:]]])]


def _table(table: pd.DataFrame) -> str:
    with pd.option_context("display.max_colwidth", None):  # else long reasons are cut
        body = table.to_html(index=False, border=0, na_rep="", float_format=lambda value: f"{value:.4g}")
    return f'<div class="table">{body}</div>'


def _bold(text: str) -> str:
    """Markdown's bold as HTML, everything else escaped.

    >>> _bold("**a** < b")
    '<strong>a</strong> &lt; b'
    """
    parts = html.escape(text).split("**")
    return "".join(f"<strong>{part}</strong>" if index % 2 else part for index, part in enumerate(parts))
