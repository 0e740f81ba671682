"""Criteria: what makes a weight, or a neuron, worth keeping.

A criterion is a pure function from `Statistics` to scores; the lowest scores are removed first. To add one here, write
the function and an entry of `CRITERIA`: it then appears in the command line, in the forms and in the tests. One in a
package of your own needs an entry point of the group ``abp.criteria``: see `register_criterion`.

Settings and the command line's help name the criteria, so PyTorch is not imported before one computes something.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, NoReturn, TypeGuard

from abp.errors import quoted

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from abp.network.activation_statistics import Measurement

SCHEDULES: dict[str, str] = {
    "at-once": "all layers at once",
    "layer-by-layer": "layer by layer",
    "polynomial": "polynomial after training",
    "before-training": "all at once before training",
}
"""When a run removes weights: the choices of a setting, with their titles; a criterion may be meant for one of them."""


@dataclass(frozen=True)
class Statistics:
    """What a criterion may look at; lists hold one entry per hidden layer.

    Attributes
    ----------
    weights
        float32 ``[out, in]``.
    masks
        bool ``[out, in]``, True = kept.
    counts
        int64 ``[out]``: training samples for which the neuron's output was above zero. Or sums of their weights, or
        shares of them, as floating-point numbers.
    samples
        How many training samples were counted; the sum of their weights; 1 where counts are shares.
    generator
        Source of random scores.
    measure
        Passes the whole training set through the network as it is. It takes almost half as long as an epoch:
        call it only where it is needed.
    gradients
        Gradient of the mean loss over the training set at each hidden weight, float32 ``[out, in]``, of the network as
        it is. It takes about as long as an epoch: likewise.
    """

    weights: Sequence[Tensor]
    masks: Sequence[Tensor]
    counts: Sequence[Tensor]
    samples: float
    generator: torch.Generator
    measure: Callable[[], Measurement]
    gradients: Callable[[], list[Tensor]]


@dataclass(frozen=True)
class Criterion:
    """A way to rank weights or neurons.

    Attributes
    ----------
    title
        The plain name that people see; no two have the same.
    explanation
        One sentence for people who have not read the papers.
    scores
        Scores of at least zero per hidden layer: float32 ``[out, in]``, or ``[out]`` where whole neurons go.
        None for the criterion that removes nothing.
    whole_neurons
        Whether it removes neurons instead of single weights.
    as_many_as
        For a control, the key of another criterion: that one decides how many weights, or neurons, each layer loses,
        this one which.
    reinitialises
        For a control: whether the weights that are left get new random values before the next epoch, once nothing more
        is scheduled to be removed.
    needs_counts
        Whether the scores follow from `Statistics.counts`, or those of the one it is `as_many_as`, so that nothing can
        be removed before training.
    schedule
        The only schedule that it is meant for, a key of `SCHEDULES`; None for any.
    """

    title: str
    explanation: str
    scores: Callable[[Statistics], list[Tensor]] | None
    whole_neurons: bool = False
    as_many_as: str | None = None
    reinitialises: bool = False
    needs_counts: bool = False
    schedule: str | None = None


def _activation(statistics: Statistics) -> list[Tensor]:
    """Count of the neuron that a weight leads into, times the weight's size ("neuron_wts" of the published code)."""
    pairs = zip(statistics.counts, statistics.weights, strict=True)
    return [count.float()[:, None] * weight.abs() for count, weight in pairs]


def _activation_neuron(statistics: Statistics) -> list[Tensor]:
    """Count of the neuron alone ("neuron" of the published code)."""
    return [count.float() for count in statistics.counts]


def _magnitude(statistics: Statistics) -> list[Tensor]:
    """Size of the weight (Han et al. 2015)."""
    return [weight.abs() for weight in statistics.weights]


def _random(statistics: Statistics) -> list[Tensor]:
    """An evenly distributed number for each weight: what any criterion should beat (Blalock et al. 2020)."""
    import torch

    return [torch.rand(weight.shape, generator=statistics.generator) for weight in statistics.weights]


def _random_neuron(statistics: Statistics) -> list[Tensor]:
    """The same for each neuron."""
    import torch

    return [torch.rand(len(weight), generator=statistics.generator) for weight in statistics.weights]


def _magnitude_neuron(statistics: Statistics) -> list[Tensor]:
    """Root mean square of a neuron's incoming weights that are left, over its layer's mean of these.

    After the filter norms of Li et al. 2017; the mean square, since a neuron that lost inputs is not weaker for that,
    and the layer's mean, since layers differ in the size of their weights.
    """
    scores = []
    for weight, mask in zip(statistics.weights, statistics.masks, strict=True):
        left = mask.sum(dim=1).clamp(min=1)  # a dead neuron has none, and a sum of zero
        size = (weight.double().square().mul(mask).sum(dim=1) / left).sqrt()
        mean = size[mask.any(dim=1)].mean()
        scores.append((size / mean if mean > 0 else size).float())
    return scores


def _inverted_activation(statistics: Statistics) -> list[Tensor]:
    """As `_activation`, but counting the samples that left the neuron silent (the published code's last version)."""
    pairs = zip(statistics.counts, statistics.weights, strict=True)
    return [(statistics.samples - count).float()[:, None] * weight.abs() for count, weight in pairs]


def _wanda(statistics: Statistics) -> list[Tensor]:
    """Share of its output neuron's weights that a weight's `_wanda_global` exceeds, or that are removed.

    So that each output neuron loses the same share, its weights compared among themselves, as in the paper (Sun et al.
    2023); of weights that tie, the later one exceeds.
    """
    shares = []
    for score, mask in zip(_wanda_global(statistics), statistics.masks, strict=True):
        order = score.masked_fill(~mask, -1.0).argsort(dim=1, stable=True)
        places = order.argsort(dim=1)  # how many weights of the row come before each
        shares.append((places + 0.5) / score.shape[1])
    return shares


def _wanda_global(statistics: Statistics) -> list[Tensor]:
    """Size of the weight times the L2 norm of its input over the training set (Sun et al. 2023)."""
    pairs = zip(statistics.measure().input_norms, statistics.weights, strict=True)
    return [weight.abs() * norm for norm, weight in pairs]


def _taylor(statistics: Statistics) -> list[Tensor]:
    """What the loss changes by, to first order, if the weight becomes zero: |w dL/dw| (Molchanov et al. 2019).

    Before training this is SNIP's connection sensitivity (Lee et al. 2019) but for a common factor, over the whole
    training set instead of one batch.
    """
    return [product.abs().float() for product in _weight_times_gradient(statistics)]


def _taylor_neuron(statistics: Statistics) -> list[Tensor]:
    """The same for all incoming weights of a neuron together: |sum of w dL/dw| (Molchanov et al. 2019)."""
    return [product.sum(dim=1).abs().float() for product in _weight_times_gradient(statistics)]


def _weight_times_gradient(statistics: Statistics) -> list[Tensor]:
    pairs = zip(statistics.weights, statistics.gradients(), strict=True)
    return [weight.double() * gradient.double() for weight, gradient in pairs]


def _lamp(statistics: Statistics) -> list[Tensor]:
    """Squared weight over the sum of its layer's squared weights that are no smaller (Lee et al. 2021, LAMP).

    Of weights that are left; those of equal size count in the order of their places.
    """
    scores = []
    for weight, mask in zip(statistics.weights, statistics.masks, strict=True):
        squares = weight.double().square().mul(mask).flatten()
        order = squares.argsort(stable=True)
        no_smaller = squares[order].flip(0).cumsum(0).flip(0)
        score = squares.clone()
        score[order] = squares[order] / no_smaller.clamp(min=1e-300)  # a layer of zeros has scores of zero
        scores.append(score.reshape(weight.shape).float())
    return scores


def _apoz(statistics: Statistics) -> list[Tensor]:
    """Samples for which a neuron of the frozen network fires; the fewest, the most zeros, go first (Hu et al. 2016)."""
    return [active.float() for active in statistics.measure().active]


CRITERIA: dict[str, Criterion] = {
    "none": Criterion("nothing removed", "Trains the dense network and removes nothing.", None),
    "activation": Criterion(
        "weights by activation",
        "Removes small weights of neurons that seldom fire: the lowest products of weight size and firing frequency.",
        _activation,
        needs_counts=True,
    ),
    "activation-neuron": Criterion(
        "neurons by activation",
        "Removes whole neurons, starting with those that fired least often.",
        _activation_neuron,
        whole_neurons=True,
        needs_counts=True,
    ),
    "magnitude": Criterion(
        "weights by magnitude", "Removes the smallest weights, wherever they are: the usual method.", _magnitude
    ),
    "random": Criterion(
        "at random", "Removes weights chosen at random: any method should beat it before it is believed.", _random
    ),
    "inverted-activation": Criterion(
        "weights by inverted activation",
        "Removes the small weights of the neurons that fire most: an ablation, expected to do worse.",
        _inverted_activation,
        needs_counts=True,
    ),
    "wanda": Criterion(
        "weights by size × input (Wanda)",
        "Removes from every neuron the same share of its incoming weights: those that are small or whose inputs are.",
        _wanda,
    ),
    "wanda-global": Criterion(
        "weights by size × input, over all neurons",
        "Removes weights that are small or whose inputs are, wherever they are: size times the strength of the input.",
        _wanda_global,
    ),
    "apoz": Criterion(
        "neurons by silence (APoZ)",
        "Removes whole neurons, starting with those that are silent for most training pictures at that moment.",
        _apoz,
        whole_neurons=True,
    ),
    "shuffled-activation": Criterion(
        "weights by activation, shuffled",
        "Removes as many weights from each layer as activation would, but chosen at random: shows whether it matters "
        "which ones go.",
        _random,
        as_many_as="activation",
        needs_counts=True,
    ),
    "reinitialised-activation": Criterion(
        "weights by activation, then reinitialised",
        "Removes weights by activation, then gives those that are left new random values: shows whether what they had "
        "learned matters, or only which ones they are.",
        _activation,
        reinitialises=True,
        needs_counts=True,
    ),
    "random-neuron": Criterion(
        "neurons at random",
        "Removes whole neurons at random: what any method for neurons should beat before it is believed.",
        _random_neuron,
        whole_neurons=True,
    ),
    "magnitude-neuron": Criterion(
        "neurons by magnitude",
        "Removes whole neurons, those with the smallest incoming weights for their layer first.",
        _magnitude_neuron,
        whole_neurons=True,
    ),
    "shuffled-activation-neuron": Criterion(
        "neurons by activation, shuffled",
        "Removes as many neurons of each layer as by activation, but at random: shows whether it matters which.",
        _random_neuron,
        whole_neurons=True,
        as_many_as="activation-neuron",
        needs_counts=True,
    ),
    "taylor": Criterion(
        "weights by gradient (Taylor)",
        "Removes the weights that the loss depends on least, as its gradient tells.",
        _taylor,
    ),
    "taylor-neuron": Criterion(
        "neurons by gradient (Taylor)",
        "Removes whole neurons, those on whose incoming weights the loss depends least, as its gradient tells.",
        _taylor_neuron,
        whole_neurons=True,
    ),
    "snip": Criterion(
        "weights before training (SNIP)",
        "Removes weights all at once before training begins: those that the loss depends on least there.",
        _taylor,
        schedule="before-training",
    ),
    "lamp": Criterion(
        "weights by layer-adaptive magnitude (LAMP)",
        "Removes small weights, each judged by the larger ones of its layer, so that no layer is emptied.",
        _lamp,
    ),
}
"""All criteria by the key that settings, the command line and the store use."""

_MISSING: set[str] = set()  # keys of `CRITERIA` that were met in the store, but are not installed here

BROKEN: dict[str, str] = {}
"""Criteria of other packages that could not be loaded: the name of each entry point with the reason, for people."""


def register_criterion(key: str, criterion: Criterion) -> None:
    """Make a criterion known to this process, under a key of its own.

    Runs train in processes of their own, which know what installed packages declare. So that they, the forms and the
    command line know a criterion, declare it as an entry point, of which the name is the key::

        [project.entry-points."abp.criteria"]
        my-criterion = "my_package:CRITERION"

    Raises
    ------
    ValueError
        If the key is taken, or is not made of lower-case words and digits with hyphens between them, at most 50
        characters; or if something of the criterion cannot be used, such as the title of another one.
    TypeError
        If it is no `Criterion`.

    Examples
    --------
    >>> register_criterion("magnitude", CRITERIA["random"])
    Traceback (most recent call last):
    ValueError: there is a criterion 'magnitude' already
    """
    if not isinstance(criterion, Criterion):
        raise TypeError(f"a criterion must be an abp.Criterion, not {criterion!r}")
    if not _can_be_key(key):
        raise ValueError(f"a criterion's key must be like 'my-criterion', of at most 50 characters, not {key!r}")
    if key in CRITERIA and key not in _MISSING:
        raise ValueError(f"there is a criterion {key!r} already")
    for mistake in _mistakes(criterion):
        raise ValueError(f"the criterion {key!r} cannot be used: {mistake}")
    CRITERIA[key] = criterion
    _MISSING.discard(key)


def _mistakes(criterion: Criterion) -> Iterator[str]:
    """What of a criterion to be registered cannot be used, in words."""
    others = {name: entry for name, entry in CRITERIA.items() if name not in _MISSING}
    title, schedule, follows = criterion.title, criterion.schedule, criterion.as_many_as
    if not isinstance(title, str) or not title.strip():
        yield f"its title must be a name for people, not {quoted(title)}"
    if title in ("dense", *(entry.title for entry in others.values())):
        yield f"another method has the title {quoted(title)}, by which charts tell methods apart; choose another one"
    if not isinstance(criterion.explanation, str) or not criterion.explanation.strip():
        yield f"its explanation must be a sentence for people, not {quoted(criterion.explanation)}"
    if not callable(criterion.scores):
        yield f"its scores must be a function from abp.Statistics to scores, not {quoted(criterion.scores)}"
    for name in ("whole_neurons", "reinitialises", "needs_counts"):
        if not isinstance(getattr(criterion, name), bool):
            yield f"its {name} must be True or False, not {quoted(getattr(criterion, name))}"
    if schedule not in (None, *SCHEDULES):
        yield f"its schedule must be one of {', '.join(SCHEDULES)}, or None for any, not {quoted(schedule)}"
    if schedule == "before-training" and criterion.needs_counts:
        yield f"its schedule is {schedule}, when there are no counts yet, and needs_counts is True; change one of them"
    if follows not in (None, *(name for name, entry in others.items() if entry.scores)):
        yield f"it is as_many_as {quoted(follows)}, which is not known here to remove anything"
    elif follows is not None and others[follows].needs_counts and not criterion.needs_counts:
        yield f"it is as_many_as {quoted(follows)}, which needs counts; set needs_counts=True"


def _can_be_key(key: object) -> TypeGuard[str]:
    return isinstance(key, str) and len(key) <= 50 and re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", key) is not None


def remember_criterion(key: object) -> None:
    """Let runs and studies be read whose criterion is not installed here (any more).

    It has a name, but removes nothing. What can be no criterion's key is not remembered.
    """
    if not _can_be_key(key) or key in CRITERIA:
        return
    state = "broken" if key in BROKEN else "not installed"

    def missing(statistics: Statistics) -> NoReturn:
        raise LookupError(f"the criterion {key!r} is {state} here")

    _MISSING.add(key)
    CRITERIA[key] = Criterion(f"{key} ({state} here)", "Belongs to a package that cannot be used here.", missing)


def why_broken(key: object) -> str:
    """Why a criterion could not be loaded, and what to do; empty for all others, and for one that is remembered.

    >>> why_broken("magnitude")
    ''
    """
    if not isinstance(key, str) or key in CRITERIA or key not in BROKEN:
        return ""
    return f"it could not be loaded ({BROKEN[key]}); repair its package, or choose another one"


def _load(declared: Sequence[EntryPoint]) -> None:
    """Register what other packages declare; once others are there, again what failed: it may follow one of them."""
    failed = []
    for each in declared:
        try:
            register_criterion(each.name, each.load())
        except Exception as error:
            failed.append((each, f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"))
    if 0 < len(failed) < len(declared):
        _load([each for each, _ in failed])
        return
    for each, reason in failed:
        BROKEN[each.name] = reason
        warnings.warn(f"the criterion {each.name!r} cannot be used: {reason}", stacklevel=2)


_load(list(entry_points(group="abp.criteria")))
