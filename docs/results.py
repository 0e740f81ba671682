"""Make what stands under ``docs/results``: one row a run, and the tables, verdicts and charts that follow from them.

``python -m docs.results add HOME...`` copies the database of each home, computes what PCA and SVD still miss, and adds
the ended runs of its studies to ``NAME-runs.csv``, where NAME is the data set's; a run that is there already is
replaced. ``python -m docs.results`` makes the rest from these files alone: ``NAME-table.csv`` (a row a method),
``NAME-verdicts.csv``, ``NAME-accuracy.svg``, and prints both tables as the README has them. Both can be done again when
more runs have ended.

The fourth claim needs singular values, which are not in these files: ``add`` writes its verdicts to
``NAME-claim-4.csv``, from a study that has regularised runs.
"""

import sqlite3
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from abp.analysis.claims import Case, Verdict, better_than, better_than_pca, corrected, effective, low_rank
from abp.analysis.paired_statistics import mean, paired_difference, signed, standard_deviation
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
    else:
        for path in sorted(RESULTS.glob("*-runs.csv")):
            write_tables(path.name.removesuffix("-runs.csv"))


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
    path = RESULTS / f"{dataset}-runs.csv"
    rows = runs.drop(columns=["dataset", "run", "status"]).copy()
    for name in LISTS:
        rows[name] = [" ".join(f"{each:.4g}" for each in values) if values else "" for values in rows[name]]
    rows = rows.round({name: 6 for name in rows.columns if rows[name].dtype == float})
    if path.exists():
        rows = pd.concat([pd.read_csv(path), rows]).drop_duplicates(PLACE, keep="last")
    rows.sort_values(["nuclear", "amount", "criterion", "seed"]).to_csv(path, index=False)


# Tables


def write_tables(dataset: str) -> None:
    """Write and print the tables, verdicts and chart of one data set."""
    runs = pd.read_csv(RESULTS / f"{dataset}-runs.csv", dtype=dict.fromkeys(LISTS, str))
    for name in LISTS:
        runs[name] = runs.get(name)
    runs["dataset"], runs["run"] = dataset, range(1, len(runs) + 1)
    counting = runs[runs["counts"]]
    table = pd.DataFrame([_row(counting, cell) for cell in _cells(counting)])
    numbers = [name for name in table.columns if name not in ("criterion", "ranks", "shuffled_ranks", "above_edge")]
    table[numbers] = table[numbers].apply(pd.to_numeric)
    table.round(5).to_csv(RESULTS / f"{dataset}-table.csv", index=False)
    judged = _verdicts(counting, dataset)
    pd.DataFrame(map(_verdict_row, judged)).to_csv(RESULTS / f"{dataset}-verdicts.csv", index=False)
    accuracies(named(counting)).properties(width=560).save(RESULTS / f"{dataset}-accuracy.svg")
    print(
        f"**{DATASETS[dataset].title}**\n",
        _markdown(table),
        "",
        _equal_training(counting),
        _verdicts_markdown(judged),
        "",
        sep="\n",
    )
    left_out = runs[~runs["counts"]]
    if len(left_out):
        print(f"Left out, since they ended before their last pruning: {len(left_out)} runs\n")


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


def _verdicts(runs: pd.DataFrame, dataset: str) -> list[Verdict]:
    """Claims 1, 2, 3 and 5 for every criterion that is judged, with one correction for all of them."""
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
    return corrected(found)


def _verdict_row(verdict: Verdict) -> dict:
    row = {name: value for name, value in asdict(verdict).items() if name not in ("interval", "beside", "dataset")}
    interval = verdict.interval
    bounds = {name: getattr(interval, name, None) for name in ("mean", "low", "high")}
    return {**row, "title": verdict.title, **bounds}


def _markdown(table: pd.DataFrame) -> str:
    titles = ("", "seeds", "test accuracy", "against dense", "against magnitude", "against PCA", "epochs", "ranks")
    titles += ("ranks by chance", "above chance")
    lines = [f"| {' | '.join(titles)} |", "|" + " --- |" * len(titles)]
    for row in table.to_dict("records"):
        spread = "" if pd.isna(row["test_accuracy_std"]) else f" ± {100 * row['test_accuracy_std']:.2f}"
        cells = (
            f"`{row['criterion']}`{_amount(row)}",
            str(row["seeds"]),
            f"{100 * row['test_accuracy_mean']:.2f}{spread} %",
            "" if row["criterion"] == "none" and not row["nuclear"] else _difference(row, "dense"),
            "" if row["criterion"] in ("none", "magnitude") else _difference(row, "magnitude"),
            _difference(row, "pca"),
            f"{row['epochs_mean']:.0f}",
            *(row[name] for name in ("ranks", "shuffled_ranks", "above_edge")),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _equal_training(runs: pd.DataFrame) -> str:
    """Differences before and after the compared networks were trained on for equally many epochs, of the same seeds."""
    seeds = {cell: list(_per_seed(runs, cell, "dense_tuned_accuracy")) for cell in _cells(runs)}
    rows = [_row(runs[runs["seed"].isin(some)], cell) for cell, some in seeds.items() if some]
    lines = [
        "| equal training | epochs after pruning | against dense, before | after | against PCA, before | after "
        "| against SVD, after |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        differences = (_difference(row, name) for name in ("dense", "dense_tuned", "pca", "pca_tuned", "svd_tuned"))
        epochs = f"{row['epochs_after_mean']:.0f} of {row['epochs_mean']:.0f}"
        what = f"`{row['criterion']}`{_amount(row)}"
        lines.append(f"| {' | '.join((what, epochs, *differences))} |")
    return "\n".join([*lines, ""]) if rows else ""


def _amount(row: dict) -> str:
    amount = f" {100 * row['amount']:g} %" if row["amount"] else ""
    return amount + (f" + nuclear norm {row['nuclear']:g}" if row["nuclear"] else "")


def _difference(row: dict, name: str) -> str:
    if pd.isna(row[f"{name}_mean"]):
        return ""
    mean, low, high = (signed(100 * row[f"{name}_{part}"]) for part in ("mean", "low", "high"))
    return mean if pd.isna(row[f"{name}_low"]) else f"{mean} [{low}, {high}]"


def _verdicts_markdown(judged: list[Verdict]) -> str:
    lines = [
        "| claim | what | seeds | difference | p, corrected | verdict | alone |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for verdict in judged:
        against = f" against `{verdict.against}`" if verdict.against else ""
        interval, scale = verdict.interval, 1 if verdict.claim == 2 else 100
        bounds = ""
        if interval is not None and interval.low is not None and interval.high is not None:
            low, mean, high = (signed(scale * each) for each in (interval.low, interval.mean, interval.high))
            bounds = f"{mean} [{low}, {high}]"
        p = "" if verdict.p_corrected is None else f"{verdict.p_corrected:.3f}"
        what = f"`{verdict.criterion}` {100 * verdict.amount:g} %{against}"
        cells = (str(verdict.claim), what, str(verdict.seeds), bounds, p, verdict.verdict, verdict.uncorrected)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
