"""The tables that the pages show, and the files beside the rows, follow from the rows in `docs/results`."""

from __future__ import annotations

from io import StringIO

import pandas as pd
import pytest

from docs import results

PAGES = [results.RESULTS.parents[1] / "README.md", results.RESULTS / "README.md"]


@pytest.fixture(scope="module")
def pages() -> str:
    return "\n".join(page.read_text(encoding="utf-8") for page in PAGES)


@pytest.mark.parametrize("table", results.printed_tables(), ids=lambda table: table.partition(" --- ")[0][:60])
def test_a_table_is_shown_as_it_follows_from_the_rows(table, pages):
    indented = "\n".join(f"   {line}" for line in table.splitlines())
    assert table in pages or indented in pages, "python -m docs.results prints the new one"


@pytest.mark.parametrize("dataset", results.datasets())
def test_the_files_follow_from_the_rows(dataset):
    runs = results.read_runs(dataset)
    for name, made in (("table", results.methods_table(runs)), ("verdicts", results.verdicts_table(runs))):
        kept = pd.read_csv(results.RESULTS / f"{dataset}-{name}.csv")
        pd.testing.assert_frame_equal(kept, pd.read_csv(StringIO(made.to_csv(index=False))), atol=1e-5)
