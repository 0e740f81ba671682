"""Notebooks: trainers, runs, studies and spectra as the dashboard's charts show them."""

import html as markup
import io
from functools import singledispatch

import altair as alt
import pandas as pd

from abp.analysis.spectra import Spectrum, singular_values
from abp.dashboard.charts.charts import Chart, svg
from abp.dashboard.charts.colours import METHODS, MUTED
from abp.dashboard.networks.spectra import curves
from abp.dashboard.networks.spectrum_chart import spectrum_chart
from abp.dashboard.studies.charts import accuracies, method, named, over_epochs
from abp.display import Displayed
from abp.network.masks import live_neurons
from abp.store.records import Run
from abp.store.snapshots import spectral_snapshots
from abp.store.store import Store
from abp.studies.comparison import read_results, run_table
from abp.studies.registry import StudyRecord, same_studies
from abp.studies.specification import Study
from abp.training.trainer import Trainer

_WIDTH = 200  # pixels of one layer's chart


@singledispatch
def chart(shown: Displayed) -> Chart:
    """The chart of an object, as `abp.display.Displayed.chart` says."""
    raise TypeError(f"there is no chart of {type(shown).__name__}")


@chart.register
def _(shown: Spectrum) -> Chart:
    """Singular values against their index."""
    table = _values([shown.values], "singular values")
    return spectrum_chart(table, {"singular values": METHODS["activation"]}, log=False, highest=shown.spectral_norm)


@chart.register
def _(shown: Trainer) -> Chart:
    """Singular values of each hidden layer as it is."""
    values = [singular_values(weight) for weight in shown.network.weights[:-1]]
    return _layers(_values(values, "now"), {"now": METHODS[shown.experiment.criterion]})


@chart.register
def _(shown: Run) -> Chart:
    """Validation accuracy over the epochs, and singular values at the start, around the last pruning or at the end."""
    store = Store()
    epochs = store.histories.valid_accuracies([shown.id]).rename(columns={"valid_accuracy": "accuracy"})
    found = spectral_snapshots(store, shown)
    if epochs.empty or not found:
        raise LookupError(f"run {shown.id} has no history yet: it is {shown.status}")
    criterion = shown.experiment.criterion if shown.experiment.scheduled_prunings else "none"
    accuracy = over_epochs(epochs.assign(method=method(criterion), seed=shown.experiment.seed))
    by_name = {snapshot.moment.name: snapshot for snapshot in found}
    number = max((snapshot.moment.prunings for snapshot in found), default=0)
    before, after = by_name.get(f"before {number}", found[0]), by_name.get(f"after {number}", found[-1])
    colour = METHODS[criterion]
    colours = {"at the start": MUTED, "before": "#56B4E9", "after": colour, "at the end": colour}
    spectra = curves(found[0], before, after)
    colours = {curve: colours[curve] for curve in spectra["curve"].unique()}
    return alt.vconcat(accuracy, _layers(spectra, colours)).resolve_scale(color="independent", strokeDash="independent")


@chart.register
def _(shown: Study) -> Chart:
    """Test accuracy of each method, of the newest study in the store with this specification."""
    results = read_results(Store(), _record(shown).id)
    runs = run_table(results)
    if not runs["counts"].any():
        raise LookupError("this study has no results yet")
    return accuracies(named(runs[runs["counts"]]))


def html(shown: Displayed) -> str:
    """An object as HTML: what it is, its figures in a row, and its chart as a picture, which needs no network."""
    title, figures = _about(shown)
    try:
        drawn = svg(chart(shown))
    except LookupError as error:
        drawn = f"<p>{markup.escape(str(error).capitalize())}.</p>"
    return f"<div><strong>{markup.escape(title)}</strong>{_row(figures)}{drawn}</div>"


@singledispatch
def _about(shown: Displayed) -> tuple[str, dict[str, str]]:
    """Title and figures of an object."""
    raise TypeError(f"there is nothing to show of {type(shown).__name__}")


@_about.register
def _(shown: Spectrum) -> tuple[str, dict[str, str]]:
    names = ("rank", "stable_rank", "effective_rank", "spectral_norm", "frobenius_norm", "nuclear_norm")
    return "Singular values", {name.replace("_", " "): f"{getattr(shown, name):.4g}" for name in names}


@_about.register
def _(shown: Trainer) -> tuple[str, dict[str, str]]:
    live = [int(layer.sum()) for layer in live_neurons(shown.masks)]
    return shown.experiment.title, {
        "epoch": str(shown.epoch),
        "prunings": str(shown.prunings),
        "weights removed": f"{shown.sparsity:.1%}",
        "live neurons": " ".join(map(str, live)),
        "training accuracy": f"{shown.running.accuracy:.1%}",
    }


@_about.register
def _(shown: Run) -> tuple[str, dict[str, str]]:
    shares = {"weights removed": shown.sparsity, "validation accuracy": shown.valid_accuracy}
    known = {name: f"{share:.1%}" for name, share in shares.items() if share is not None}
    return f"Run {shown.id}: {shown.name}", {"status": shown.status, "epoch": str(shown.epoch), **known}


@_about.register
def _(shown: Study) -> tuple[str, dict[str, str]]:
    figures = {
        "data": ", ".join(shown.datasets),
        "methods": ", ".join(method(criterion) for criterion in shown.criteria),
        "weights removed": ", ".join(f"{100 * amount:g} %" for amount in shown.amounts),
        "seeds": str(len(shown.seeds)),
    }
    return f"Study of {len(shown.experiments())} runs", figures


def _record(study: Study) -> StudyRecord:
    same = same_studies(Store(), study)
    if not same:
        raise LookupError("this study was not started yet: see abp.studies.registry.start_study")
    return same[0]


def _values(layers: list, curve: str) -> pd.DataFrame:
    """Singular values of layers as `abp.dashboard.networks.spectra.curves` has them."""
    parts = [
        pd.DataFrame({"layer": layer, "index": range(1, len(values) + 1), "value": values, "curve": curve})
        for layer, values in enumerate(layers, start=1)
    ]
    return pd.concat(parts, ignore_index=True)


def _layers(table: pd.DataFrame, colours: dict[str, str]) -> Chart:
    """The dashboard's chart of each layer, side by side on one scale; the curves are named above them."""
    highest = float(table["value"].max())
    charts = [
        spectrum_chart(part, colours, log=False, highest=highest).properties(width=_WIDTH, title=f"Hidden {layer}")
        for layer, part in table.groupby("layer")
    ]
    return alt.hconcat(*charts, title=_named("Singular values", list(colours)))


def _named(title: str, curves: list[str]) -> str:
    """A title that names curves by their strokes, in the order in which the dashboard's chart takes these."""
    strokes = [f"{curve} ({stroke})" for curve, stroke in zip(curves, ("dotted", "dashed", "solid"), strict=False)]
    return f"{title}: {', '.join(strokes)}" if len(strokes) > 1 else title


def _row(figures: dict[str, str]) -> str:
    table = io.StringIO()
    pd.DataFrame([figures]).to_html(table, index=False, border=0)
    return table.getvalue()
