"""Singular values against chance: what of a spectrum weights in random places, or random weights, would show too.

A low rank, or a few large singular values, says something of what a layer has learned only where the same weights in
other places do not show it as well. A weight that is exactly zero counts as removed, whoever removed it: a file from
elsewhere has no masks.
"""

import importlib
import math
import warnings
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from abp.analysis.spectra import SingularValues, rank, singular_values

TAIL = 50
"""Values that a tail has at least before a power law is fitted to it."""

STEEPEST = 100
"""Largest exponent that is looked for; the package itself would stop at 3, where layers have steeper tails."""

POOR = 0.1
"""Share by which shuffled weights may exceed the edge before random matrices count as a poor model of a layer."""


@dataclass(frozen=True)
class Tail:
    """A power law ``p(x) ~ x^-alpha`` fitted to the largest squared singular values (Clauset, Shalizi & Newman 2009).

    Attributes
    ----------
    alpha
        Its exponent; 2 to 6 in well-trained layers of large networks (Martin & Mahoney 2021).
    distance
        Kolmogorov-Smirnov distance of the tail to the fitted law: the smaller, the better it fits.
    values
        How many values the tail has.
    """

    alpha: float
    distance: float
    values: int


@dataclass(frozen=True)
class Chance:
    """One layer's singular values beside what chance would give.

    Attributes
    ----------
    shape
        Rows and columns of its matrix.
    values
        Its own singular values, largest first.
    shuffled
        Those of the same matrix with its kept weights, those that are not zero, in random order in their places.
    rank, shuffled_rank
        Numerical rank of both.
    edge
        The largest singular value expected of random weights of the same size: the edge of the Marchenko-Pastur law.
    above
        How many of the values lie above the edge.
    poor
        Whether that law is a poor model here: the shuffled weights, random as they are, exceed its edge by more than
        `POOR`, as happens with sparse matrices, whose few long rows stick out.
    tail
        None where the tail is too short, or the package ``powerlaw`` is not installed.
    """

    shape: tuple[int, int]
    values: SingularValues
    shuffled: SingularValues
    rank: int
    shuffled_rank: int
    edge: float
    above: int
    poor: bool
    tail: Tail | None


def against_chance(weight: Tensor, generator: torch.Generator) -> Chance:
    """A layer's singular values against chance.

    Parameters
    ----------
    weight
        Of one layer, float32 ``[out, in]``, zero where it is removed.
    generator
        Source of the random order.
    """
    shape = (weight.shape[0], weight.shape[1])
    values, shuffled = singular_values(weight), singular_values(shuffle(weight, generator))
    edge = marchenko_pastur_edge(weight)
    return Chance(
        shape=shape,
        values=values,
        shuffled=shuffled,
        rank=rank(values, shape),
        shuffled_rank=rank(shuffled, shape),
        edge=edge,
        above=int((values > edge).sum()),
        poor=bool(shuffled.max(initial=0.0) > (1 + POOR) * edge),
        tail=power_law_tail(values[: rank(values, shape)]),  # the others are rounding errors
    )


def matrices_against_chance(matrices: Iterable[Tensor]) -> list[Chance]:
    """The singular values of several layers against chance, each time in the same random order."""
    generator = torch.Generator().manual_seed(0)
    return [against_chance(matrix, generator) for matrix in matrices]


def shuffle(weight: Tensor, generator: torch.Generator) -> Tensor:
    """The same weights in random order in the kept places; zeros elsewhere.

    >>> mixed = shuffle(torch.tensor([[1.0, 2.0, 0.0]]), torch.Generator())
    >>> sorted(mixed[0, :2].tolist()), mixed[0, 2].item()
    ([1.0, 2.0], 0.0)
    """
    places = weight != 0
    kept = weight[places]
    result = torch.zeros_like(weight)
    result[places] = kept[torch.randperm(len(kept), generator=generator)]
    return result


def marchenko_pastur_edge(weight: Tensor) -> float:
    """Largest singular value expected of random entries: s (sqrt(m) + sqrt(n)) (Marchenko & Pastur 1967).

    For the live part of the layer, its m rows and n columns with a kept weight, and s the root mean square of all of
    its entries, zeros included; 0 of a layer without weights.

    >>> round(marchenko_pastur_edge(torch.ones(4, 9)), 6)
    5.0
    """
    kept = weight != 0
    live = weight[kept.any(dim=1)][:, kept.any(dim=0)].double()
    if not live.numel():
        return 0.0
    return float(live.square().mean().sqrt()) * (math.sqrt(live.shape[0]) + math.sqrt(live.shape[1]))


def power_law_tail(values: SingularValues) -> Tail | None:
    """A power law fitted to the tail of the squared singular values; None where that has fewer than `TAIL` values.

    Where the tail begins is chosen as in `powerlaw.Fit`: so that the fit is closest. None also without the package, and
    where so few of the values differ, as those of an orthogonal matrix: a power law has no two that are equal.
    """
    squares = np.square(values[values > 0])
    if len(np.unique(squares)) < TAIL:
        return None
    try:
        powerlaw = importlib.import_module("powerlaw")
    except ImportError:
        return None
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of every beginning that it tries
        fit = powerlaw.Fit(squares, verbose=False, parameter_ranges={"alpha": [1, STEEPEST]})
        count = int((squares >= fit.power_law.xmin).sum())
        return Tail(float(fit.power_law.alpha), float(fit.power_law.D), count) if count >= TAIL else None


def explanation(layers: list[Chance]) -> str:
    """What chance leaves of "low rank" in these layers: a sentence on their ranks, and one on the edge."""
    return f"{_of_ranks(layers)} {_of_edges(layers)}"


def _of_ranks(layers: list[Chance]) -> str:
    lower = sum(layer.rank < layer.shuffled_rank for layer in layers)
    full = sum(layer.rank == len(layer.values) for layer in layers)
    parts = [
        (
            lower,
            "the rank is lower than that of the same weights in random order, so there the order of the weights, and "
            "not their number, makes it low",
        ),
        (
            len(layers) - lower - full,
            "the rank is low, but no lower than that of the same weights in random order: it follows from which "
            "weights are left, and not from their order",
        ),
        (full, "the rank is full"),
    ]
    said = "; ".join(f"in {_so_many(count, layers)} {words}" for count, words in parts if count)
    return f"{said[0].upper()}{said[1:]}."


def _of_edges(layers: list[Chance]) -> str:
    fitting = [layer for layer in layers if not layer.poor]
    if not fitting:
        return (
            "How many singular values rise above what random weights would give cannot be said: the Marchenko-Pastur "
            "law fits poorly in every layer."
        )
    above = sum(layer.above for layer in fitting)
    rise = "1 singular value rises" if above == 1 else f"{above or 'No'} singular values rise"
    poor = len(layers) - len(fitting)
    but = f", not counting {_so_many(poor, layers)}, where the Marchenko-Pastur law fits poorly" if poor else ""
    return f"{rise} above what random weights would give{but}."


def _so_many(count: int, layers: list[Chance]) -> str:
    return "every layer" if count == len(layers) else f"{count} of {len(layers)} layers"
