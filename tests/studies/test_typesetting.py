from __future__ import annotations

import re

import pandas as pd

from abp.studies.typesetting import sentence, to_latex, to_markdown, verdicts_sentence

TABLE = pd.DataFrame(
    {
        "Method": ["50 % & more_of {it}", "a|b"],
        "Test accuracy": [97.125, None],
        "Against dense": ["−0.31 [−0.9, +0.2]", "–"],
        "Seeds": [5, 12],
    }
)


def test_every_value_stands_in_its_row_and_column():
    lines = to_markdown(TABLE, "note").splitlines()
    rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[:4]]
    assert rows[0] == list(TABLE.columns)
    assert rows[2] == ["50 % & more_of {it}", "97.12", "−0.31 [−0.9, +0.2]", "5"]
    assert rows[3] == ["a\\|b", "", "–", "12"]


def test_latex_keeps_no_character_that_would_break_it():
    latex = to_latex(TABLE, sentence("digits", [0, 5, 12]))
    body = latex.split("\\midrule")[1].split("\\bottomrule")[0].strip().splitlines()
    assert len(body) == 2 and all(line.endswith("\\\\") for line in body)
    assert all(len(re.findall(r"(?<!\\)&", line)) == 3 for line in body)
    assert not re.search(r"(?<!\\)[%_#]", latex) and "\\begin{tabular}{lrlr}" in latex
    assert "digits. N = 5 to 12 seeds" in latex
    verdicts = to_latex(TABLE, verdicts_sentence([5, 5], 3))
    assert "N = 5 seeds" in verdicts and "the 3 tests of this table (Holm 1979)" in verdicts and "``Alone''" in verdicts
