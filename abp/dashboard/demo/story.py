"""The guided demo as five scenes, made of what two runs have recorded; nothing is drawn here, and nothing made up."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from abp.analysis.cost import cost
from abp.dashboard.charts.colours import METHODS, MUTED
from abp.dashboard.components.demo_stage import Bar, Frame
from abp.network.masks import full_masks, total
from abp.store.records import Run, Status, unpack_counts
from abp.store.snapshots import recorded_masks
from abp.store.store import Store

TITLES = ("It learns", "Some hardly ever fire", "They are removed", "It goes on learning", "What is left")
"""Of the scenes, in order."""

SELDOM = 0.1
"""A neuron is shown as hardly ever firing if it fires for a smaller share of pictures than this."""

CHANCE = 0.033
"""Differences of accuracy up to this count as no difference.

It is twice the standard error of the difference of two accuracies near 95 % on 360 pictures, which is all that one run
of each can show. The Compare page uses more seeds.
"""

MOST_NEURONS = 1000
"""Hidden neurons that can be shown one by one."""

_MOST_FRAMES = 40  # of one scene, which must not last too long


@dataclass(frozen=True)
class Scene:
    """One step of the demo.

    Attributes
    ----------
    sentence
        What it shows.
    frames
        Its pictures so far; at least one.
    complete
        Whether no more frames will come.
    seconds
        For which a frame is shown.
    """

    sentence: str
    frames: tuple[Frame, ...]
    complete: bool
    seconds: float = 0.5


@dataclass(frozen=True)
class Recording:
    """What the store has of a run, in the order in which it happened.

    Attributes
    ----------
    states
        The network after every epoch and after every pruning.
    total
        Hidden weights of the whole network.
    """

    run: Run
    states: tuple["State", ...]
    total: int
    cost_before: int
    cost_after: int

    @property
    def first(self) -> int | None:
        """Place in `states` of the first pruning."""
        return next((place for place, state in enumerate(self.states) if state.removed is not None), None)

    @property
    def over(self) -> bool:
        """Whether nothing more will be recorded by itself."""
        return not self.run.active


@dataclass(frozen=True)
class State:
    """A network at one moment.

    Attributes
    ----------
    epoch
        1, 2, ...; a pruning by schedule comes at the end of its epoch.
    frequency
        Share of the epoch's training pictures for which each hidden neuron fired, ``[neurons]``.
    since_start
        The same over all epochs so far.
    alive
        bool ``[neurons]``.
    accuracy
        On the test set.
    sparsity
        Share of the hidden weights that are removed.
    removed
        Of a pruning: how many neurons and how many weights; None of an epoch.
    read
        Classes that it gives the first test pictures; None where they were not recorded.
    """

    epoch: int
    frequency: NDArray
    since_start: NDArray
    alive: NDArray
    accuracy: float
    sparsity: float
    removed: tuple[int, int] | None = None
    read: tuple[int, ...] | None = None


def read_recording(store: Store, run: Run) -> Recording:
    """Read a run's epochs and prunings; a run that continues another one starts with that one's mask."""
    hidden, sizes = run.experiment.hidden, run.experiment.sizes
    epochs, prunings = store.histories.epochs(run.id), store.histories.prunings(run.id)
    counts = {
        epoch: (samples, unpack_counts(packed, hidden))
        for epoch, samples, packed in store.histories.epoch_counts(run.id)
    }
    predictions = store.histories.predictions(run.id)
    left = [np.concatenate(layers) > 0 for _, layers in store.histories.live_weights(run.id, hidden)]
    frame = store.frames.newest(run.id, hidden)
    batches = frame.batches if frame else 1
    happened = [(float(row.epoch), 0, row) for row in epochs.itertuples()]
    happened += [(row.epoch - 1 + row.batch / batches, row.number, row) for row in prunings.itertuples()]
    neurons = sum(hidden)
    alive = np.concatenate([mask.any(dim=1).numpy() for mask in recorded_masks(store, run, 0)])
    frequency, summed, samples, sparsity = np.zeros(neurons), np.zeros(neurons), 0, 0.0
    states = []
    for _, number, row in sorted(happened, key=lambda entry: entry[:2]):
        if number == 0:
            seen, layers = counts.get(row.epoch, (0, None))
            if layers is not None:
                of_epoch = np.concatenate(layers)
                frequency, summed, samples = of_epoch / max(seen, 1), summed + of_epoch, samples + seen
            accuracy, removed, read = row.test_accuracy, None, predictions[0].get(row.epoch)
        elif number <= len(left):
            alive, sparsity = left[number - 1], row.sparsity
            accuracy, removed = row.test_accuracy_after, (row.neurons_removed, row.weights_removed)
            read = predictions[1].get(number)
        else:
            continue
        since_start, classes = summed / max(samples, 1), None if read is None else tuple(read)
        states.append(State(int(row.epoch), frequency, since_start, alive, accuracy, sparsity, removed, classes))
    whole = full_masks(sizes)
    pruned = recorded_masks(store, run, len(left))
    return Recording(
        run=run,
        states=tuple(states),
        total=total(whole),
        cost_before=cost(sizes, whole).multiply_adds,
        cost_after=cost(sizes, pruned).multiply_adds,
    )


def comparable(one: Run, other: Run) -> bool:
    """Whether two runs differ in nothing but their criterion."""
    same = dataclasses.replace(other.experiment, criterion=one.experiment.criterion) == one.experiment
    return same and not (one.pruned_by_hand or other.pruned_by_hand) and one.parent is None and other.parent is None


def scenes(recording: Recording, beside: Recording | None) -> tuple[Scene | None, ...]:
    """The five scenes as far as the runs have come; None for what is not there yet.

    Parameters
    ----------
    beside
        A run that removed at random, for the last scene.
    """
    return (
        _learning(recording),
        _seldom(recording),
        _removal(recording, beside),
        _recovery(recording),
        _outcome(recording, beside),
    )


def _learning(recording: Recording) -> Scene:
    """From the first epoch to the first pruning."""
    first, states = recording.first, recording.states
    until = states[: len(states) if first is None else first]
    neurons = sum(recording.run.experiment.hidden)
    frames = tuple(_frame(recording, state, f"Training round {state.epoch}") for state in until)
    what = _pictures(recording.run)
    return Scene(
        f"A network learns to read {what}: each square is one of its {neurons} neurons, and the stronger its colour, "
        f"the more {what} it fires for.",
        (_untrained(recording), *_thinned(frames)),
        first is not None or recording.over,
        seconds=0.9,
    )


def _seldom(recording: Recording) -> Scene | None:
    """The neurons that seldom fire, at the first pruning or the end: highlighted from the least active on."""
    state = _before(recording)
    if state is None:
        return None
    what, alive = _pictures(recording.run), state.alive
    shares = state.since_start
    seldom = alive & (shares < SELDOM)
    count = int(seldom.sum())
    limits = [0.0, *np.linspace(0.01, SELDOM, 6)] if count else [0.0]
    note = f"After round {state.epoch}, counted over all rounds so far"
    frames = tuple(_frame(recording, state, note, glow=shares, marked=alive & (shares < limit)) for limit in limits)
    if count:
        sentence = (
            f"{count} of the {int(alive.sum())} neurons hardly ever fire: for fewer than 1 in {round(1 / SELDOM)} of "
            f"the {what} that the network has seen."
        )
    else:
        least = shares[alive].min() if alive.any() else 0.0
        sentence = f"Every neuron of this network is used: even the least active fires for {_of_100(least)} {what}."
    return Scene(sentence, frames, True, seconds=0.7)


def _removal(recording: Recording, beside: Recording | None) -> Scene | None:
    """The first pruning: before and after it, and with random removal."""
    first, states = recording.first, recording.states
    if first is None:
        if not (recording.over and states):
            return None
        return Scene("Nothing was removed in this run.", (_frame(recording, states[-1], "At the end"),), True)
    state, before = states[first], _before(recording)
    assert before is not None and state.removed is not None
    what, (neurons, weights) = _pictures(recording.run), state.removed
    which = f"the {neurons} least active neurons" if _by_activity(recording.run) else f"{neurons} neurons"
    removed = which if neurons else f"{weights:,} connections"
    loss = before.accuracy - state.accuracy
    effect = "accuracy hardly changes" if loss <= 0.015 else "accuracy falls at first"
    reads = f"{_of_100(state.accuracy)} {what} read correctly, {_of_100(before.accuracy)} before"
    random = _random_removal(recording, beside)
    control = "" if random.share is None else f"; removing as much at random leaves {_of_100(random.share)}"
    glow, marked = before.since_start, before.alive & ~state.alive
    note = f"After round {state.epoch}"
    waiting = dataclasses.replace(random, share=None, text="")
    frames = (
        _frame(recording, before, note, glow=glow, marked=marked, bars=(*_bars(recording, before), waiting)),
        _frame(recording, before, note, glow=glow, marked=marked, bars=(*_bars(recording, before), waiting)),
        _frame(recording, state, f"{note}, just removed", glow=glow, bars=(*_bars(recording, state), random)),
    )
    return Scene(
        f"{removed[:1].upper()}{removed[1:]} are removed, and {effect}: {reads}{control}.", frames, True, seconds=1.5
    )


def _random_removal(recording: Recording, beside: Recording | None) -> Bar:
    """Accuracy just after the first pruning of the run with random removal, if both pruned the same network."""
    label, colour = "If as much is removed at random", METHODS["random"]
    state, other = recording.first, None if beside is None else beside.first
    if state is None or beside is None or other is None:
        return Bar(label, None, "not known yet", colour)
    here, there = recording.states[state], beside.states[other]
    if here.epoch != there.epoch or abs(here.sparsity - there.sparsity) > 0.02:
        return Bar(label, None, "not comparable", colour)
    return Bar(label, there.accuracy, _of_100(there.accuracy), colour)


def _recovery(recording: Recording) -> Scene | None:
    """From the first pruning to the end."""
    first, states, what = recording.first, recording.states, _pictures(recording.run)
    if first is None or len(states) == first + 1:
        nothing = recording.over and states
        alone = _frame(recording, states[-1], "At the end") if nothing else None
        return Scene("This run ended without further training.", (alone,), True) if alone else None
    after = states[first:]
    frames = tuple(
        _frame(recording, state, f"Training round {state.epoch}" + (": removal" if state.removed else ""))
        for state in after
    )
    more = sum(state.removed is not None for state in after[1:])
    if not recording.over:
        sentence = "The network goes on learning with what is left, while more is removed."
    elif more:
        start, low, end = _before_accuracy(recording), min(state.accuracy for state in after), after[-1].accuracy
        times = "once more" if more == 1 else f"{more} more times"
        back = "and recovers" if end >= start - CHANCE else "and does not recover fully"
        sentence = (
            f"It goes on learning and is pruned {times}: accuracy falls by up to {_points(start, low)} of 100 {what} "
            f"{back}, to {_of_100(end)} at the end."
        )
    else:
        sentence = (
            f"It goes on learning with what is left: from {_of_100(after[0].accuracy)} to "
            f"{_of_100(after[-1].accuracy)} {what} read correctly."
        )
    kept = [place for place, state in enumerate(after) if state.removed is not None]
    return Scene(sentence, _thinned(frames, kept), recording.over, seconds=0.4)


def _outcome(recording: Recording, beside: Recording | None) -> Scene | None:
    """What is left, and how it compares with random removal."""
    if not (recording.over and recording.states):
        return None
    run, last, before = recording.run, recording.states[-1], _before_accuracy(recording)
    compared = beside is None or (beside.over and bool(beside.states))
    sentence = _verdict(recording, beside)
    left = round((1 - last.sparsity) * recording.total)
    colour = METHODS[run.experiment.criterion]
    bars = [
        Bar("Read correctly before any removal", before, _of_100(before), METHODS["none"]),
        Bar(f"Read correctly at the end, after {last.epoch} rounds", last.accuracy, _of_100(last.accuracy), colour),
        _random_bar(beside),
        Bar("Connections left", 1 - last.sparsity, f"{left:,} of {recording.total:,}", MUTED),
    ]
    work = f"{recording.cost_after:,} multiplications instead of {recording.cost_before:,} per picture"
    empty = tuple(dataclasses.replace(bar, share=0.0 if bar.share is not None else None) for bar in bars)
    frames = (
        _frame(recording, last, "At the end", bars=empty),
        _frame(recording, last, f"At the end, moved together: {work}", bars=tuple(bars), packed=True),
    )
    return Scene(sentence, frames, compared, seconds=1.2)


def _verdict(recording: Recording, beside: Recording | None) -> str:
    run, last = recording.run, recording.states[-1]
    what, before = _pictures(run), _before_accuracy(recording)
    tenths = round(10 * last.sparsity)
    removed = f"{tenths} of 10 connections" if last.sparsity >= 0.05 else "Hardly any connections"
    start = (
        f"{removed} are removed, and the network reads {_of_100(last.accuracy)} {what} correctly, {_of_100(before)} "
        "before"
    )
    if beside is None or not beside.states:
        return f"{start}."
    if not beside.over:
        return f"{start}; the network with random removal is still training."
    end = beside.states[-1]
    if beside.run.status != Status.FINISHED or abs(end.sparsity - last.sparsity) > 0.02:
        return f"{start}; the run with random removal lost {round(100 * end.sparsity)} %, too different to compare."
    gain = last.accuracy - end.accuracy
    if abs(gain) <= CHANCE:
        result = "does about as well, too close to call from one run each"
    else:
        result = "does worse" if gain > 0 else "does better here"
    return f"{start}; removing as much at random {result} ({_of_100(end.accuracy)})."


def _random_bar(beside: Recording | None) -> Bar:
    label, colour = "If removed at random", METHODS["random"]
    if beside is None or not beside.states:
        return Bar(label, None, "no such run", colour)
    end = beside.states[-1]
    if not beside.over:
        return Bar(label, None, f"still training, round {end.epoch}", colour)
    return Bar(f"{label}, after {end.epoch} rounds", end.accuracy, _of_100(end.accuracy), colour)


def _frame(
    recording: Recording,
    state: State,
    note: str,
    *,
    glow: NDArray | None = None,
    marked: NDArray | None = None,
    bars: tuple[Bar, ...] | None = None,
    packed: bool = False,
) -> Frame:
    nothing = np.zeros(len(state.alive), dtype=bool)
    glow, marked = state.frequency if glow is None else glow, nothing if marked is None else marked
    bars = _bars(recording, state) if bars is None else bars
    return Frame(note, glow, state.alive, marked, bars, packed, state.read)


def _bars(recording: Recording, state: State) -> tuple[Bar, ...]:
    colour = METHODS[recording.run.experiment.criterion]
    left = 1 - state.sparsity
    return (
        Bar(f"{_pictures(recording.run).capitalize()} read correctly", state.accuracy, _of_100(state.accuracy), colour),
        Bar("Connections left", left, f"{100 * left:.0f} %", MUTED),
    )


def _untrained(recording: Recording) -> Frame:
    """Before the first epoch: nothing has been counted or tested yet."""
    nothing = np.zeros(sum(recording.run.experiment.hidden))
    state = State(0, nothing, nothing, nothing == 0, 0.0, 0.0)
    right, left = _bars(recording, state)
    bars = (dataclasses.replace(right, share=None, text="not tested yet"), left)
    queued = recording.run.status == Status.QUEUED
    note = "Getting ready" if queued else "Before the first training round"
    return _frame(recording, state, note, bars=bars)


def _before(recording: Recording) -> State | None:
    """The network just before the first pruning; of a run that ended without one, at its end."""
    first, states = recording.first, recording.states
    if first is None:
        return states[-1] if recording.over and states else None
    if first > 0:
        return states[first - 1]
    nothing = np.zeros(len(states[0].alive))
    return State(0, nothing, nothing, nothing == 0, states[0].accuracy, 0.0)  # removed before the first epoch ended


def _before_accuracy(recording: Recording) -> float:
    state = _before(recording)
    assert state is not None  # called only for a run that has ended
    return state.accuracy


def _thinned(frames: tuple[Frame, ...], kept: Sequence[int] = ()) -> tuple[Frame, ...]:
    """At most about `_MOST_FRAMES`, evenly chosen, with those at the places `kept` and the last."""
    if len(frames) <= _MOST_FRAMES:
        return frames
    chosen = set(np.linspace(0, len(frames) - 1, _MOST_FRAMES).round().astype(int)) | set(kept)
    return tuple(frames[place] for place in sorted(chosen))


def _by_activity(run: Run) -> bool:
    return run.experiment.criterion == "activation-neuron"


def _pictures(run: Run) -> str:
    return "digits" if run.experiment.dataset in ("digits", "mnist") else "pictures"


def _points(before: float, after: float) -> str:
    return f"{max(0, round(100 * before) - round(100 * after))}"


def _of_100(share: float) -> str:
    return f"{round(100 * share)} of 100"
