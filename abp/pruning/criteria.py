"""Criteria: what makes a weight, or a neuron, worth keeping.

A criterion is a pure function from `Statistics` to scores; the lowest scores are removed first. To add one, write the
function and register it below: it then appears in the command line, in the forms and in the tests.

Settings and the command line's help name the criteria, so PyTorch is not imported before one computes something.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from abp.network.activation_statistics import Measurement


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
        int64 ``[out]``: training samples for which the neuron's output was above zero.
    samples
        How many training samples were counted.
    generator
        Source of random scores.
    measure
        Passes the whole training set through the network as it is. It takes almost half as long as an epoch:
        call it only where it is needed.
    """

    weights: Sequence[Tensor]
    masks: Sequence[Tensor]
    counts: Sequence[Tensor]
    samples: int
    generator: torch.Generator
    measure: Callable[[], Measurement]


@dataclass(frozen=True)
class Criterion:
    """A way of ranking.

    Attributes
    ----------
    title
        The plain name that people see.
    explanation
        One sentence for people who have not read the paper.
    scores
        Scores of at least zero per hidden layer: float32 ``[out, in]``, or ``[out]`` where whole neurons go.
        None for the criterion that removes nothing.
    whole_neurons
        Whether it removes neurons instead of single weights.
    as_many_as
        Key of another criterion, for controls: that one decides how many weights each layer loses, this one which.
    starts_anew
        Another control: once nothing more is scheduled to be removed, the weights that are left get new random values
        before the next epoch.
    """

    title: str
    explanation: str
    scores: Callable[[Statistics], list[Tensor]] | None
    whole_neurons: bool = False
    as_many_as: str | None = None
    starts_anew: bool = False


def _activation(statistics: Statistics) -> list[Tensor]:
    """Count of the neuron that a weight leads into, times the weight's size ("neuron_wts" of the published code)."""
    pairs = zip(statistics.counts, statistics.weights, strict=True)
    return [count.float()[:, None] * weight.abs() for count, weight in pairs]


def _activation_neuron(statistics: Statistics) -> list[Tensor]:
    """Count of the neuron alone ("neuron" of the published code)."""
    return [count.float() for count in statistics.counts]


def _magnitude(statistics: Statistics) -> list[Tensor]:
    return [weight.abs() for weight in statistics.weights]


def _random(statistics: Statistics) -> list[Tensor]:
    import torch

    return [torch.rand(weight.shape, generator=statistics.generator) for weight in statistics.weights]


def _inverted_activation(statistics: Statistics) -> list[Tensor]:
    """As `_activation`, but counting the samples that left the neuron silent (the published code's last version)."""
    pairs = zip(statistics.counts, statistics.weights, strict=True)
    return [(statistics.samples - count).float()[:, None] * weight.abs() for count, weight in pairs]


def _wanda(statistics: Statistics) -> list[Tensor]:
    """Size of the weight times the L2 norm of its input over the training set (Sun et al. 2023).

    The paper compares the weights of each output neuron apart; here they are ranked as by every other criterion.
    """
    pairs = zip(statistics.measure().input_norms, statistics.weights, strict=True)
    return [weight.abs() * norm for norm, weight in pairs]


def _apoz(statistics: Statistics) -> list[Tensor]:
    """Samples that the frozen network's neuron fires for: the fewest, so the most zeros, go first (Hu et al. 2016)."""
    return [active.float() for active in statistics.measure().active]


CRITERIA: dict[str, Criterion] = {
    "none": Criterion("nothing removed", "Trains the dense network and removes nothing.", None),
    "activation": Criterion(
        "weights by activation",
        "Removes the small weights of neurons that seldom fire: how often the neuron fired times the weight's size.",
        _activation,
    ),
    "activation-neuron": Criterion(
        "neurons by activation",
        "Removes whole neurons, those that fired least often first.",
        _activation_neuron,
        whole_neurons=True,
    ),
    "magnitude": Criterion(
        "weights by magnitude", "Removes the smallest weights, wherever they are: the usual method.", _magnitude
    ),
    "random": Criterion(
        "at random", "Removes weights by lot: what any method should beat before it is believed.", _random
    ),
    "inverted-activation": Criterion(
        "weights by inverted activation",
        "Removes the small weights of the neurons that fire most: an ablation, expected to do worse.",
        _inverted_activation,
    ),
    "wanda": Criterion(
        "weights by size × input (Wanda)",
        "Removes weights that are small or whose inputs are: the weight's size times the strength of its input.",
        _wanda,
    ),
    "apoz": Criterion(
        "neurons by silence (APoZ)",
        "Removes whole neurons, those that are silent for most training pictures at that moment first.",
        _apoz,
        whole_neurons=True,
    ),
    "shuffled-activation": Criterion(
        "weights by activation, shuffled",
        "Removes as many weights of each layer as by activation, but by lot: shows whether it matters which ones go.",
        _random,
        as_many_as="activation",
    ),
    "reinitialised-activation": Criterion(
        "weights by activation, then anew",
        "Removes weights as by activation and then gives all that are left new random values: shows whether it matters "
        "what they had learned, or only which ones they are.",
        _activation,
        starts_anew=True,
    ),
}
