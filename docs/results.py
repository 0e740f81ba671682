"""Make what stands under ``docs/results``: one row a run, and the tables, verdicts and charts that follow from them.

``python -m docs.results add HOME...`` copies the database of each home, computes what PCA and SVD still miss, and adds
the ended runs of its studies to ``NAME-runs.csv``, where NAME is the data set's; a run that is there already is
brought up to date. ``python -m docs.results`` makes the rest from these files alone: ``NAME-table.csv`` (a row a
method), ``NAME-verdicts.csv`` and ``NAME-accuracy.svg``, and prints the tables that stand in README.md and in
docs/results/README.md. Both can be done again when more runs have ended.

The fourth claim needs singular values, which are not in these files: ``add`` writes its tests to
``NAME-claim-4.csv``, from a study that has regularised runs. All verdicts on a data set are corrected together.
"""

import sqlite3
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from abp.analysis.claims import UNDECIDED, Case, Verdict, better_than, better_than_pca, corrected, effective, low_rank
from abp.analysis.paired_statistics import Interval, mean, paired_difference, signed, standard_deviation
from abp.dashboard.charts.charts import svg
from abp.dashboard.studies.charts import accuracies, named
from abp.data.datasets import DATASETS
from abp.pruning.criteria import CRITERIA
from abp.store.store import Store
from abp.studies.comparison import read_results, run_table
from abp.studies.registry import studies
from abp.studies.verdicts import JUDGED, fill_baselines, verdicts

RESULTS = Path(__file__).with_name("results")
PLACE = ["criterion", "amount", "nuclear", "seed"]
LISTS = ("density", "live_neurons", "ranks", "stable_ranks", "effective_ranks", "shuffled_ranks", "above_edge")
CELL = PLACE[:3]


def main() -> None:
    """Add runs, or make everything else from those that are there."""
    if sys.argv[1:2] == ["add"]:
        for home in sys.argv[2:]:
            add(Path(home))
        return
    for dataset in datasets():
        runs = read_runs(dataset)
        methods_table(runs).round(5).to_csv(RESULTS / f"{dataset}-table.csv", index=False)
        verdicts_table(runs).to_csv(RESULTS / f"{dataset}-verdicts.csv", index=False)
        chart = accuracies(named(_counting(runs))).properties(width=560)
        (RESULTS / f"{dataset}-accuracy.svg").write_text(svg(chart), encoding="utf-8")
        for cell, rows in runs[~runs["counts"]].groupby(CELL):
            print(f"Left out, since they ended before their last pruning: {len(rows)} runs of {cell}\n")
    print(*printed_tables(), sep="\n\n")


# Rows a run


def add(home: Path) -> None:
    """Add the ended runs of all studies of a home."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "abp.sqlite3"
        with sqlite3.connect(home / "abp.sqlite3") as source, sqlite3.connect(copy) as target:
            source.backup(target)
        store = Store(copy)
        for record in studies(store):
            fill_baselines(store, record.id)
            results = read_results(store, record.id)
            runs = run_table(results)
            for dataset, part in runs[runs["status"] == "finished"].groupby("dataset"):
                _merge(str(dataset), part)
            fourth = [verdict for verdict in verdicts(results) if verdict.claim == 4 and verdict.p is not None]
            for dataset in {verdict.dataset for verdict in fourth}:
                found = [_verdict_row(verdict) for verdict in fourth if verdict.dataset == dataset]
                pd.DataFrame(found).to_csv(RESULTS / f"{dataset}-claim-4.csv", index=False)


def _merge(dataset: str, runs: pd.DataFrame) -> None:
    """Put runs in the place of those that are there already; what a home does not know of them is kept."""
    path = RESULTS / f"{dataset}-runs.csv"
    rows = runs.drop(columns=["dataset", "run", "status"]).set_index(PLACE)
    for name in LISTS:
        rows[name] = [" ".join(f"{each:.4g}" for each in values) if values else None for values in rows[name]]
    rows = rows.round({name: 6 for name in rows.columns if rows[name].dtype == float})
    if path.exists():
        known = pd.read_csv(path, dtype=dict.fromkeys(LISTS, str)).set_index(PLACE)
        rows = rows.combine_first(known)[list(dict.fromkeys([*known.columns, *rows.columns]))]
    rows.reset_index().sort_values(["nuclear", "amount", "criterion", "seed"]).to_csv(path, index=False)


# Tables


def datasets() -> list[str]:
    """Names of the data sets that there are rows of."""
    return sorted(path.name.removesuffix("-runs.csv") for path in RESULTS.glob("*-runs.csv"))


def read_runs(dataset: str) -> pd.DataFrame:
    """The rows of a data set, one a run."""
    runs = pd.read_csv(RESULTS / f"{dataset}-runs.csv", dtype=dict.fromkeys(LISTS, str))
    for name in LISTS:
        runs[name] = runs.get(name)
    return runs.assign(dataset=dataset, run=range(1, len(runs) + 1))


def methods_table(runs: pd.DataFrame) -> pd.DataFrame:
    """Means and paired differences, one row a method."""
    counting = _counting(runs)
    table = pd.DataFrame([_row(counting, cell) for cell in _cells(counting)])
    numbers = [name for name in table.columns if name not in ("criterion", "ranks", "shuffled_ranks", "above_edge")]
    return table.assign(**table[numbers].apply(pd.to_numeric))


def verdicts_table(runs: pd.DataFrame) -> pd.DataFrame:
    """All verdicts on a data set, one row each, with one correction for all of them."""
    return pd.DataFrame([_verdict_row(verdict) for verdict in _verdicts(_counting(runs))])


def printed_tables() -> list[str]:
    """All tables that the two pages show, as Markdown."""
    runs = {dataset: read_runs(dataset) for dataset in datasets()}
    judged = {dataset: verdicts_table(rows) for dataset, rows in runs.items()}
    tables = [_markdown_methods(dataset, methods_table(rows)) for dataset, rows in runs.items()]
    tables.append(_markdown_claims(judged))
    tables += [_markdown_choices(dataset, found) for dataset, found in judged.items()]
    tables += [_markdown_equal_training(dataset, _counting(rows)) for dataset, rows in runs.items()]
    return tables


def _counting(runs: pd.DataFrame) -> pd.DataFrame:
    """Runs that reached their amount."""
    return runs[runs["counts"]]


def _cells(runs: pd.DataFrame) -> list[tuple]:
    """Dense first, then by amount and in the order of the registry."""
    order = {name: place for place, name in enumerate(CRITERIA)}
    cells = runs[CELL].drop_duplicates().itertuples(index=False, name=None)
    return sorted(cells, key=lambda cell: (cell[1], cell[2], CRITERIA[cell[0]].whole_neurons, order[cell[0]]))


def _of(runs: pd.DataFrame, cell: tuple) -> pd.DataFrame:
    rows = runs
    for name, value in zip(CELL, cell, strict=True):
        rows = rows[rows[name] == value]
    return rows.set_index("seed")


def _per_seed(runs: pd.DataFrame, cell: tuple, column: str = "test_accuracy") -> dict[int, float]:
    return _of(runs, cell)[column].dropna().to_dict()


def _layers(runs: pd.DataFrame, cell: tuple, column: str) -> dict[int, list[int]]:
    rows = _of(runs, cell)[column].dropna()
    return {seed: [round(float(each)) for each in text.split()] for seed, text in rows.items()}


def _mean_layers(runs: pd.DataFrame, cell: tuple, column: str) -> str:
    """Means per layer over the seeds; nothing where no run has them."""
    layers = zip(*_layers(runs, cell, column).values(), strict=True)
    return " ".join(f"{sum(layer) / len(layer):.0f}" for layer in layers)


def _row(runs: pd.DataFrame, cell: tuple) -> dict:
    own, part = _per_seed(runs, cell), _of(runs, cell)
    found = {
        **dict(zip(CELL, cell, strict=True)),
        "seeds": len(own),
        "test_accuracy_mean": mean(list(own.values())),
        "test_accuracy_std": standard_deviation(list(own.values())),
        "sparsity_mean": part["sparsity"].mean(),
        "epochs_mean": part["epochs"].mean(),
        "epochs_after_mean": part["epochs_after"].mean(),
        "ranks": _mean_layers(runs, cell, "ranks"),
        "shuffled_ranks": _mean_layers(runs, cell, "shuffled_ranks"),
        "above_edge": _mean_layers(runs, cell, "above_edge"),
        "latency_ratio": part["latency_ratio"].mean(),
    }
    others = {
        "dense": _per_seed(runs, ("none", 0.0, 0.0)),
        "magnitude": _per_seed(runs, ("magnitude", cell[1], 0.0)),
        "pca": _per_seed(runs, cell, "pca_accuracy"),
        **{f"{name}_tuned": _per_seed(runs, cell, f"{name}_tuned_accuracy") for name in ("dense", "pca", "svd")},
    }
    for name, other in others.items():
        difference = paired_difference(own, other, least=1 / (2 * DATASETS[runs["dataset"].iloc[0]].test_samples))
        found |= {f"{name}_{part}": getattr(difference, part, None) for part in ("mean", "low", "high")}
    return found


def _verdicts(runs: pd.DataFrame) -> list[Verdict]:
    dataset = runs["dataset"].iloc[0]
    found = []
    for criterion, amount, nuclear in _cells(runs):
        if criterion not in JUDGED:
            continue
        cell, dense, magnitude = (criterion, amount, nuclear), ("none", 0.0, 0.0), ("magnitude", amount, 0.0)
        case = Case(dataset, criterion, amount, DATASETS[dataset].test_samples)
        own = _per_seed(runs, cell)
        ranks = [_layers(runs, each, "ranks") for each in (cell, dense, magnitude)]
        found += [
            effective(case, own, _per_seed(runs, dense), _per_seed(runs, magnitude)),
            low_rank(case, *ranks),
            better_than_pca(
                case, own, *(_per_seed(runs, cell, f"{name}_accuracy") for name in ("pca", "svd", "pca_tuned"))
            ),
        ]
        for other in _cells(runs):
            same = CRITERIA[other[0]].whole_neurons == CRITERIA[criterion].whole_neurons
            if other[1:] == cell[1:] and other != cell and same:
                found.append(better_than(case, own, _per_seed(runs, other), other[0]))
    return corrected(found + _fourth(dataset))


def _fourth(dataset: str) -> list[Verdict]:
    path = RESULTS / f"{dataset}-claim-4.csv"
    return [
        Verdict(
            4, dataset, row.criterion, row.amount, row.uncorrected, row.statistic,
            Interval(row.mean, row.low, row.high, row.seeds // 2), row.seeds, row.words,
            limit=row.limit, uncorrected=row.uncorrected, p=row.p,
        )
        for row in (pd.read_csv(path).itertuples() if path.exists() else ())
    ]  # fmt: skip


def _verdict_row(verdict: Verdict) -> dict:
    row = {name: value for name, value in asdict(verdict).items() if name not in ("interval", "beside", "dataset")}
    interval = verdict.interval
    bounds = {name: getattr(interval, name, None) for name in ("mean", "low", "high")}
    return {**row, "title": verdict.title, **bounds}


def _markdown_methods(dataset: str, table: pd.DataFrame) -> str:
    titles = (DATASETS[dataset].title, "seeds", "test accuracy", "against dense", "against magnitude", "against PCA")
    rows = [
        (
            _name(row),
            str(row["seeds"]),
            _accuracy(row),
            "" if row["criterion"] == "none" and not row["nuclear"] else _difference(row, "dense_"),
            "" if row["criterion"] in ("none", "magnitude") else _difference(row, "magnitude_"),
            _difference(row, "pca_"),
            f"{row['epochs_mean']:.0f}",
            row["ranks"],
        )
        for row in table.to_dict("records")
    ]
    return _markdown((*titles, "epochs", "mean ranks"), rows)


def _markdown_claims(judged: dict[str, pd.DataFrame]) -> str:
    """The paper's four claims, one row a data set, criterion and amount."""
    rows = []
    for dataset, found in judged.items():
        for case, part in found.groupby(["criterion", "amount"]):
            own = part[part["claim"] <= 4].set_index("claim")["verdict"]
            case_name = f"{DATASETS[dataset].title}, {_name(dict(zip(('criterion', 'amount'), case, strict=True)))}"
            rows.append((case_name, *(own.get(claim, UNDECIDED) for claim in range(1, 5))))
    titles = ("the paper's claims", "effective", "low rank", "better than PCA", "like a nuclear norm")
    return _markdown(titles, rows)


def _markdown_choices(dataset: str, judged: pd.DataFrame) -> str:
    """Claim 5: activation against each other way to choose, one column an amount."""
    chosen = judged[judged["claim"] == 5]
    amounts = sorted(chosen["amount"].unique())
    rows = []
    for (criterion, against), part in chosen.groupby(["criterion", "against"], sort=False):
        of_amount = {row["amount"]: row for row in part.to_dict("records")}
        row = [f"`{criterion}` against `{against}`"]
        for amount in amounts:
            found = of_amount.get(amount)
            row += ["", ""] if found is None else [_difference(found), _p(found)]
        rows.append(tuple(row))
    columns = [title for amount in amounts for title in (f"{100 * amount:g} %", "p, corrected")]
    return _markdown((DATASETS[dataset].title, *columns), rows)


def _markdown_equal_training(dataset: str, runs: pd.DataFrame) -> str:
    """Differences before and after the compared networks were trained on for equally many epochs, of the same seeds."""
    seeds = {cell: list(_per_seed(runs, cell, "dense_tuned_accuracy")) for cell in _cells(runs)}
    rows = [
        (
            _name(row),
            f"{row['epochs_after_mean']:.0f} of {row['epochs_mean']:.0f}",
            *(_difference(row, f"{name}_") for name in ("dense", "dense_tuned", "pca", "pca_tuned", "svd_tuned")),
        )
        for row in (_row(runs[runs["seed"].isin(some)], cell) for cell, some in seeds.items() if some)
    ]
    titles = (DATASETS[dataset].title, "epochs after pruning", "against dense, before", "after", "against PCA, before")
    return _markdown((*titles, "after", "against SVD, after"), rows)


def _markdown(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = (titles, ["---"] * len(titles), *rows)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _name(row: dict) -> str:
    amount = f" {100 * row['amount']:g} %" if row["amount"] else ""
    return f"`{row['criterion']}`{amount}" + (f" + nuclear norm {row['nuclear']:g}" if row.get("nuclear") else "")


def _accuracy(row: dict) -> str:
    spread = "" if pd.isna(row["test_accuracy_std"]) else f" ± {100 * row['test_accuracy_std']:.2f}"
    return f"{100 * row['test_accuracy_mean']:.2f}{spread} %"


def _difference(row: dict, prefix: str = "") -> str:
    """A mean in points, with its interval where there is one."""
    if pd.isna(row[f"{prefix}mean"]):
        return ""
    mean, low, high = (signed(100 * row[f"{prefix}{part}"]) for part in ("mean", "low", "high"))
    return mean if pd.isna(row[f"{prefix}low"]) else f"{mean} [{low}, {high}]"


def _p(row: dict) -> str:
    if pd.isna(row["p_corrected"]):
        return ""
    p = f"{row['p_corrected']:.2g}" if row["p_corrected"] < 0.995 else "1"
    return p if row["verdict"] == UNDECIDED else f"{p}, *{row['verdict']}*"


if __name__ == "__main__":
    main()
