"""The live view of one run: what it is doing now, or did, drawn from the store alone."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st
from torch import Tensor

from abp.dashboard.charts import charts, tables
from abp.dashboard.charts.widgets import chart_with_data, download_csv
from abp.dashboard.frame.page import fragment
from abp.dashboard.frame.status import STATUS, sentence
from abp.network.masks import live_weights, sparsity
from abp.store.records import Command, Frame, Run, unpack_counts
from abp.store.snapshots import recorded_masks
from abp.store.store import Store


@dataclass(frozen=True)
class Look:
    """Everything the view draws, read from the store before anything is drawn."""

    run: Run
    frame: Frame | None
    epochs: pd.DataFrame
    prunings: pd.DataFrame
    command: Command | None
    start: list[Tensor] | None  # masks that a continued run starts from

    @property
    def batches(self) -> int:
        """Batches in an epoch; 1 before that is known."""
        return self.frame.batches if self.frame else 1

    @property
    def position(self) -> float:
        """How far the run is, in epochs."""
        return self.frame.epoch - 1 + self.frame.batch / self.frame.batches if self.frame and self.frame.epoch else 0.0


def look(store: Store, number: int) -> Look:
    """Read a run as it stands, and say that somebody watches it."""
    run = store.runs.get(number)
    store.watches.mark(number)
    frame = store.frames.newest(number, run.experiment.hidden)
    start = None if run.parent is None else recorded_masks(store, run, 0)
    epochs, prunings = store.histories.epochs(number), store.histories.prunings(number)
    return Look(run, frame, epochs, prunings, store.commands.newest(number), start)


def live_view(store: Store, shown: Run) -> None:
    """Draw a run; while it goes on, again about once a second, until what the page shows above it is out of date."""
    every = {"queued": 0.3, "running": 1.0, "paused": 1.0}.get(shown.status)

    @fragment(run_every=every)
    def draw() -> None:
        now = look(store, shown.id)
        if _heading(now.run) != _heading(shown):
            st.rerun()
        _numbers(now)
        _heatmap(store, now)
        _histories(now)

    draw()


def _heading(run: Run) -> tuple:
    """What the page draws of a run outside the live view: its name, badges and controls."""
    return run.name, run.status, run.pruned_by_hand, run.pace


def _numbers(now: Look) -> None:
    run, frame = now.run, now.frame
    total = run.experiment.epochs
    live = _live_weights(now)
    neurons = sum(run.experiment.hidden)
    alive = neurons if live is None else sum(int((layer > 0).sum()) for layer in live)
    training = f"{100 * frame.train_accuracy:.1f} %" if frame and frame.epoch_samples else "–"
    with st.container(horizontal=True, gap="small"):
        _metric("Epoch", f"{frame.epoch if frame else 0} of {total}", "At most so many; it may stop before.")
        _metric("Training accuracy", training, "Of the epoch in progress, over weights that still change.")
        _metric(
            "Validation accuracy",
            _percent(run.valid_accuracy),
            "Of pictures that training never sees.",
        )
        _metric("Weights removed", f"{100 * run.sparsity:.1f} %", "Share of all weights between hidden layers.")
        _metric("Neurons alive", f"{alive} of {neurons}", "Neurons with at least one incoming weight left.")
        _metric("Test accuracy", _percent(run.test_accuracy), "On the test pictures; nothing is decided by it.")
    done = run.status == "finished"  # perhaps before the last epoch that it was allowed
    st.progress(1.0 if done else min(1.0, now.position / total), text=_speed(now))
    st.markdown(f":material/chat_bubble: {sentence(now.run, now.command)}")


def _metric(label: str, value: str, meaning: str) -> None:
    st.metric(label, value, help=meaning, border=True)


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def _speed(now: Look) -> str:
    """How fast it is, and how long it may take; for a run that has ended, how long it took."""
    frame, run = now.frame, now.run
    regulariser = _regulariser(run)
    if not run.active:
        epochs = "1 epoch" if run.epoch == 1 else f"{run.epoch:,} epochs"
        return f"{epochs} in {run.seconds:.1f} s of training{regulariser}"
    if run.status != "running" or frame is None or not frame.rate:
        return STATUS[run.status][0]
    rate = f"{frame.rate:,.0f} pictures a second{regulariser}"
    if now.epochs.empty:
        return rate
    left = (run.experiment.epochs - now.position) * int(now.epochs["samples"].iloc[-1]) / frame.rate
    return f"{rate}; at most {int(left // 60)}:{int(left % 60):02d} min left"


def _regulariser(run: Run) -> str:
    """The regulariser's share of the time, if it is on."""
    if not run.experiment.nuclear:
        return ""
    return f". Regulariser: {100 * run.regulariser_seconds / max(run.seconds, 1e-9):.0f} % of the time"


def _heatmap(store: Store, now: Look) -> None:
    hidden = now.run.experiment.hidden
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        st.subheader(
            "Which neurons fire",
            anchor=False,
            width="content",
            help="While the network trains, every picture passes through every layer. A neuron fires for a picture "
            "when its output is above zero. Activation-based pruning removes what seldom fires.",
        )
        since = st.segmented_control(
            "Counted",
            ["this epoch", "since the start"],
            default="since the start",
            required=True,
            key="counted",
            label_visibility="collapsed",
        )
    st.caption("Each cell is a neuron: the stronger its colour, the more pictures it fires for; a cross was removed.")
    counts, samples, live = _activity(store, now, whole=since == "since the start")
    layers = tables.neurons(hidden, counts, samples, live)
    cell = charts.cell_size(hidden)
    with st.container(horizontal=True, gap="medium"):
        for index, (table, width) in enumerate(zip(layers, hidden, strict=True)):
            alive = int((table["state"] == "live").sum())
            with st.container(width="content", gap="xxsmall"):
                st.markdown(f"**Hidden {index + 1}**  \n{alive} of {width}")
                st.vega_lite_chart(
                    table,
                    charts.activity_spec(width, cell),
                    width="content",
                    key=f"activity-{index}",
                    alt=f"Activation frequency of the {width} neurons of hidden layer {index + 1}; {alive} are alive.",
                )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.vega_lite_chart(
            spec=charts.frequency_legend_spec(),
            width="content",
            key="legend",
            alt="Colour scale from never to always.",
        )
        st.caption("share of training pictures")
        download_csv("activity", lambda: pd.concat(layers).drop(columns=["column", "row"]))


def _activity(store: Store, now: Look, *, whole: bool) -> tuple[list, int, list | None]:
    """Counts, samples and live weights per layer: of a running run now, of an ended one at the slider's epoch."""
    hidden = now.run.experiment.hidden
    nothing = [np.zeros(width, dtype=np.int64) for width in hidden]
    frame = now.frame
    if now.run.active or len(now.epochs) < 2:
        if frame is None:
            return nothing, 0, _live_weights(now)
        if whole:
            return frame.counts, frame.samples, frame.live_weights
        return frame.epoch_counts, frame.epoch_samples, frame.live_weights
    last = int(now.epochs["epoch"].iloc[-1])
    chosen = st.slider("Epoch", 1, last, last, key=f"scrub-{now.run.id}", help="Drag to see how the neurons changed.")
    rows = [row for row in store.histories.epoch_counts(now.run.id) if row[0] <= chosen]
    rows = rows if whole else rows[-1:]
    counts = [sum(layer) for layer in zip(*(unpack_counts(row[2], hidden) for row in rows), strict=True)]
    live = [weights for epoch, weights in store.histories.live_weights(now.run.id, hidden) if epoch <= chosen]
    return counts, sum(row[1] for row in rows), live[-1] if live else _live_at_start(now)


def _live_weights(now: Look) -> list | None:
    return now.frame.live_weights if now.frame else _live_at_start(now)


def _live_at_start(now: Look) -> list | None:
    return None if now.start is None else [layer.numpy() for layer in live_weights(now.start)]


def _histories(now: Look) -> None:
    rules = tables.pruning_rules(now.prunings, now.batches)
    last = max(int(now.epochs["epoch"].max()) if len(now.epochs) else 0, 1)
    until = max(now.position, float(last))
    steps = tables.sparsity_steps(now.prunings, now.batches, until, sparsity(now.start) if now.start else 0.0)
    left, middle, right = st.columns(3)
    with left:
        chart_with_data(
            "Accuracy",
            "Share of pictures told apart; dotted lines are prunings.",
            "Training accuracy is taken while the weights change; validation accuracy at each epoch's end, on pictures "
            "that training never sees. A dip after a dotted line that heals shows that little of use was removed.",
            [charts.history(now.epochs, rules, "accuracy", last)],
            lambda: now.epochs,
            "accuracy",
        )
    with middle:
        chart_with_data(
            "Loss",
            "How wrong the network is on average; lower is better.",
            "Cross-entropy in nats. When the validation loss rises well above its lowest value, training has stalled.",
            [charts.history(now.epochs, rules, "loss", last)],
            lambda: now.epochs,
            "loss",
        )
    with right:
        chart_with_data(
            "Weights removed",
            "Share of the hidden weights that are gone for good.",
            "Each step is one pruning. Removed weights stay at zero for the rest of the run.",
            [charts.sparsity(steps, rules, last)],
            lambda: now.prunings,
            "weights-removed",
        )
