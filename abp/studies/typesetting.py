"""Tables of a study as text for a paper or a note: Markdown, and LaTeX with booktabs."""

import numbers
from collections.abc import Sequence
from typing import Any

import pandas as pd

_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", "×": r"$\times$", "−": "$-$", "–": "--",
    "\u00a0": "~", "“": "``", "”": "''",
}  # fmt: skip


def sentence(data: str, seeds: Sequence[int]) -> str:
    """What a reader of a table of methods has to know: data, N, the test and the correction.

    Parameters
    ----------
    data
        The data set's title.
    seeds
        Of each row; rows without any do not count.

    Examples
    --------
    >>> sentence("MNIST", [5, 12, 0])[:50]
    'MNIST. N = 5 to 12 seeds; mean ± sample standard d'
    """
    return (
        f"{data}. {_n(seeds)}; mean ± sample standard deviation. Differences are in points of test accuracy, paired by "
        "seed, with 95 % intervals of Student's t (n − 1 degrees of freedom), no narrower than the test set's "
        "resolution; unlike the verdicts on the claims, they are not corrected for their number."
    )


def verdicts_sentence(seeds: Sequence[int], tests: int) -> str:
    """The same of a table of verdicts, of which so many were tested.

    >>> verdicts_sentence([5, 5], 2)[:66]
    "N = 5 seeds; two-sided tests by Student's t of differences paired "
    """
    return (
        f"{_n(seeds)}; two-sided tests by Student's t of differences paired by seed against each claim's limit, with "
        f"95 % intervals no narrower than the test set's resolution; p corrected for the {tests} tests of this table "
        "(Holm 1979). “Alone” is the verdict without the correction."
    )


def _n(seeds: Sequence[int]) -> str:
    counts = [int(count) for count in seeds if count] or [0]
    fewest, most = min(counts), max(counts)
    return f"N = {fewest} seeds" if fewest == most else f"N = {fewest} to {most} seeds"


def to_markdown(table: pd.DataFrame, note: str) -> str:
    """A table as GitHub's Markdown, its note below.

    >>> print(to_markdown(pd.DataFrame({"Method": ["a|b"], "Seeds": [5]}), "N = 5."))
    | Method | Seeds |
    | --- | ---: |
    | a\\|b | 5 |
    <BLANKLINE>
    N = 5.
    """
    head = [str(name) for name in table.columns]
    marks = ["---:" if right else "---" for right in _numeric(table)]
    rows = [[_text(value).replace("|", "\\|") for value in row] for row in table.itertuples(index=False, name=None)]
    lines = [f"| {' | '.join(cells)} |" for cells in (head, marks, *rows)]
    return "\n".join([*lines, "", note])


def to_latex(table: pd.DataFrame, note: str) -> str:
    """A table as LaTeX, to be used with the package booktabs, its note as the caption.

    >>> print(to_latex(pd.DataFrame({"Method": ["a_b"], "Seeds": [5]}), "95 %."))
    \\begin{table}
    \\centering
    \\caption{95 \\%.}
    \\begin{tabular}{lr}
    \\toprule
    Method & Seeds \\\\
    \\midrule
    a\\_b & 5 \\\\
    \\bottomrule
    \\end{tabular}
    \\end{table}
    """
    columns = "".join("r" if right else "l" for right in _numeric(table))
    head = " & ".join(_escaped(str(name)) for name in table.columns)
    rows = [" & ".join(_escaped(_text(value)) for value in row) for row in table.itertuples(index=False, name=None)]
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{_escaped(note)}}}",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            rf"{head} \\",
            r"\midrule",
            *(rf"{row} \\" for row in rows),
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
    )


def _numeric(table: pd.DataFrame) -> list[bool]:
    return [pd.api.types.is_numeric_dtype(kind) for kind in table.dtypes]


def _text(value: Any) -> str:
    if value is None or (isinstance(value, float) and pd.isna(value)):
        return ""
    whole = isinstance(value, numbers.Integral) or not isinstance(value, numbers.Real)
    return str(value) if whole else f"{float(value):.2f}"


def _escaped(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)
