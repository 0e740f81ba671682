"""Selection: which weights go, so that the number removed *in all* is the one asked for.

A pruning removes the lowest scores of all hidden layers in one global ranking; ties break by layer and position. A
neuron that loses its last incoming weight loses its outgoing ones too, and these count: the threshold is chosen by
bisection so that the sum comes out right to the nearest weight, or neuron. The strongest path from the inputs to the
last hidden layer (the one whose weakest link is strongest) is never cut, so that no layer is emptied; it is the path
that a rising threshold would cut last anyway.

A `Request` may confine the choice to one layer; what dies in later layers with its neurons goes all the same. Rankings
within each layer are made of such requests, one per layer (`select_quotas`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from abp.network.masks import cascade, kept, live_neurons

_GONE = -1  # below every score
_SAFE = np.iinfo(np.int32).max  # above every score


@dataclass(frozen=True)
class Request:
    """How much a pruning is to remove, and from where.

    Attributes
    ----------
    remove
        Weights to remove beyond those already removed: in all, or in `layer` where one is named.
    layer
        Index of the only hidden layer to choose from; None for all of them.
    at_most
        With a layer: how many may go in all, what dies in later layers included.
    """

    remove: int
    layer: int | None = None
    at_most: int = 0

    def counted(self, removed: Sequence[int]) -> int:
        """The number, of weights removed per layer, that should equal `remove`; it rises with each of them."""
        if self.layer is None:
            return sum(removed)
        return max(removed[self.layer], sum(removed) - (self.at_most - self.remove))


def select_weights(scores: Sequence[Tensor], masks: Sequence[Tensor], remove: int | Request) -> list[Tensor]:
    """New masks after removing the `remove` lowest-scored weights, outgoing weights of neurons that die included.

    Parameters
    ----------
    scores
        float32 ``[out, in]`` per hidden layer, at least zero; scores of removed weights are ignored.
    masks
        bool ``[out, in]`` per hidden layer, True = kept.
    remove
        How many weights to remove beyond those already removed, or a `Request`. As many as the unbroken path allows
        are removed if it asks for more.

    Raises
    ------
    ValueError
        If a score is negative or not finite.

    Examples
    --------
    >>> select_weights([torch.tensor([[3.0, 1.0, 2.0]])], [torch.ones(1, 3, dtype=torch.bool)], 1)[0].tolist()
    [[True, False, True]]
    """
    request = remove if isinstance(remove, Request) else Request(remove)
    ranks = _protected(_ranks(scores, masks), request.layer)
    threshold = _threshold(ranks, request)
    if threshold is None:
        return _without(masks, [rank != _SAFE for rank in ranks])

    # All below the threshold go, and as many of those that tie on it as it takes, in order.
    below = [rank < threshold for rank in ranks]
    tied = [np.flatnonzero(rank == threshold) for rank in ranks]
    starts = np.cumsum([0, *map(len, tied)])

    def masks_after(ties: int) -> list[Tensor]:
        chosen = [layer.copy() for layer in below]
        for layer, places, start in zip(chosen, tied, starts, strict=False):
            layer.flat[places[: max(0, ties - start)]] = True
        return _without(masks, chosen)

    return _nearest(masks_after, int(starts[-1]), masks, request)


def select_neurons(scores: Sequence[Tensor], masks: Sequence[Tensor], remove: int | Request) -> list[Tensor]:
    """As `select_weights`, but removing whole neurons, the lowest of scores ``[out]`` first."""
    spread = [score[:, None].expand(mask.shape) for score, mask in zip(scores, masks, strict=True)]
    request = remove if isinstance(remove, Request) else Request(remove)
    ranks = _protected(_ranks(spread, masks), request.layer)
    strongest = np.concatenate([rank.max(axis=1) for rank in ranks])  # [all neurons]
    removable = np.flatnonzero((strongest != _GONE) & (strongest != _SAFE))
    order = removable[np.argsort(strongest[removable], kind="stable")]
    ends = np.cumsum([len(mask) for mask in masks])[:-1]

    def masks_after(neurons: int) -> list[Tensor]:
        chosen = np.zeros(len(strongest), dtype=bool)
        chosen[order[:neurons]] = True
        return _without(masks, [part[:, None] for part in np.split(chosen, ends)])

    return _nearest(masks_after, len(order), masks, request)


def select_quotas(
    select: Callable[[Sequence[Tensor], Sequence[Tensor], Request], list[Tensor]],
    scores: Sequence[Tensor],
    masks: Sequence[Tensor],
    quotas: Sequence[int],
) -> list[Tensor]:
    """New masks after each hidden layer, from the first to the last, has lost so many weights by a ranking of its own.

    What a layer loses with the neurons of the layer before counts as its own. Where it loses too many or too few,
    because neurons go whole or die with others, the next layer makes up for it, so that the sum comes out right.

    Parameters
    ----------
    select
        `select_weights` or `select_neurons`.
    scores, masks
        As it takes them.
    quotas
        Weights to remove per hidden layer, beyond those already removed.

    Examples
    --------
    >>> masks = [torch.ones(2, 2, dtype=torch.bool) for _ in range(2)]
    >>> scores = [torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[8.0, 7.0], [6.0, 5.0]])]
    >>> [mask.tolist() for mask in select_quotas(select_weights, scores, masks, [1, 2])]
    [[[False, True], [True, True]], [[True, True], [False, False]]]
    """
    before, after = [kept([mask]) for mask in masks], list(masks)
    for layer in range(len(masks)):
        removed = [live - kept([mask]) for live, mask in zip(before, after, strict=True)]
        at_most = max(0, sum(quotas) - sum(removed))
        until = layer + 1
        missing = min(at_most, max(0, sum(quotas[:until]) - sum(removed[:until])))
        if missing:
            after = select(scores, after, Request(missing, layer, at_most))
    return after


def select_as_many_neurons(scores: Sequence[Tensor], masks: Sequence[Tensor], neurons: Sequence[int]) -> list[Tensor]:
    """New masks after each hidden layer has lost so many neurons, the lowest of scores ``[out]`` first.

    Neurons that die with the layer before count.

    Examples
    --------
    >>> masks = [torch.ones(3, 2, dtype=torch.bool), torch.ones(2, 3, dtype=torch.bool)]
    >>> after = select_as_many_neurons([torch.tensor([3.0, 1.0, 2.0]), torch.tensor([1.0, 2.0])], masks, [1, 0])
    >>> [mask.tolist() for mask in after]
    [[[True, True], [False, False], [True, True]], [[True, False, True], [True, False, True]]]
    """
    before, after = [int(live.sum()) for live in live_neurons(masks)], list(masks)
    spread = [score[:, None].expand(mask.shape) for score, mask in zip(scores, masks, strict=True)]
    for layer, wanted in enumerate(neurons):
        missing = wanted - before[layer] + int(live_neurons(after)[layer].sum())
        strongest = _protected(_ranks(spread, after), layer)[layer].max(axis=1)  # [out]
        removable = np.flatnonzero((strongest != _GONE) & (strongest != _SAFE))
        order = removable[np.argsort(strongest[removable], kind="stable")]
        mask = after[layer].clone()
        mask[torch.from_numpy(order[: max(0, missing)])] = False
        after = cascade([mask if index == layer else other for index, other in enumerate(after)])
    return after


def even_quotas(masks: Sequence[Tensor], remove: int) -> list[int]:
    """How many weights each hidden layer loses so that all reach the same sparsity and lose `remove` in all.

    A layer that is already sparser loses nothing.

    >>> even_quotas([torch.ones(10, 30, dtype=torch.bool), torch.ones(10, 10, dtype=torch.bool)], 100)
    [75, 25]
    """
    sizes = [mask.numel() for mask in masks]
    removed = [size - kept([mask]) for size, mask in zip(sizes, masks, strict=True)]
    while True:
        size, goal = sum(sizes), remove + sum(removed)  # of the layers that are not too sparse
        dense = [n * goal >= gone * size for n, gone in zip(sizes, removed, strict=True)]
        if all(dense):
            break
        sizes = [n * take for n, take in zip(sizes, dense, strict=True)]
        removed = [gone * take for gone, take in zip(removed, dense, strict=True)]
    # Sums are rounded, not quotas, so that the last sum is exact.
    pairs = zip(accumulate(sizes), accumulate(removed), strict=True)
    sums = [(2 * (goal * n - gone * size) + size) // (2 * size) for n, gone in pairs]
    return [after - before for before, after in pairwise([0, *sums])]


def _ranks(scores: Sequence[Tensor], masks: Sequence[Tensor]) -> list[NDArray[np.int32]]:
    """Scores as integers of the same order (the bits of a float32 of at least zero), removed weights as -1."""
    ranks = []
    for layer, (score, mask) in enumerate(zip(scores, masks, strict=True)):
        lowest, highest = (float(extreme) for extreme in score.aminmax())  # NaN if there is one
        if not 0 <= lowest <= highest < float("inf"):
            raise ValueError(f"scores of hidden layer {layer + 1} must be finite and at least zero")
        bits = (score.float() + 0.0).numpy().view(np.int32)  # + 0.0 turns -0.0 into 0.0
        ranks.append(np.where(mask.numpy(), bits, np.int32(_GONE)))
    return ranks


def _protected(ranks: list[NDArray[np.int32]], layer: int | None) -> list[NDArray[np.int32]]:
    """The ranks with a path marked as safe, and with all layers but `layer`, where one is named."""
    others = [] if layer is None else [rank for index, rank in enumerate(ranks) if index != layer]
    for rank in others:  # above every score, so that the path's weakest link lies in the layer
        rank[rank != _GONE] = _SAFE - 1
    _protect(ranks)
    for rank in others:
        rank[rank != _GONE] = _SAFE
    return ranks


def _protect(ranks: list[NDArray[np.int32]]) -> None:
    """Mark the path with the strongest weakest link as safe, in place; of links that tie, the later is stronger."""
    sources, strength = _strongest_links(ranks[0], 0, None)
    path = [sources]
    start = ranks[0].size
    for rank in ranks[1:]:
        sources, strength = _strongest_links(rank, start, strength)
        path.append(sources)
        start += rank.size
    neuron = int(strength.argmax())
    for rank, source in zip(reversed(ranks), reversed(path), strict=True):
        before = int(source[neuron])
        rank[neuron, before] = _SAFE
        neuron = before


def _strongest_links(
    rank: NDArray[np.int32], start: int, strength: NDArray[np.int64] | None
) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Where each neuron's strongest link comes from, and the weakest link of the path through it.

    Strength is the rank with the place in the global order (from `start` on) as the tie-break, so no two are equal;
    `strength` is that of the neurons before, None for the inputs.
    """
    neurons, inputs = rank.shape
    if strength is None:  # nothing before limits a link: the last of the highest ranks, without forming all strengths
        sources = inputs - 1 - rank[:, ::-1].argmax(axis=1)
        row = np.arange(neurons)
        return sources, (rank[row, sources].astype(np.int64) << 32) + start + row * inputs + sources
    places = np.arange(start, start + rank.size).reshape(rank.shape)
    links = np.minimum((rank.astype(np.int64) << 32) + places, strength)  # removed weights stay below zero
    return links.argmax(axis=1), links.max(axis=1)


def _threshold(ranks: Sequence[NDArray[np.int32]], request: Request) -> int | None:
    """The lowest rank such that removing it and all below removes at least what is asked for; None if none does."""
    before = [int(np.count_nonzero(rank != _GONE)) for rank in ranks]

    def counted(threshold: int) -> int:
        removed = []
        alive: NDArray[np.bool_] = np.ones(ranks[0].shape[1], dtype=bool)
        for rank, live in zip(ranks, before, strict=True):
            above = rank > threshold
            above &= alive  # what comes from a neuron that dies goes with it
            removed.append(live - int(np.count_nonzero(above)))
            alive = np.asarray(above.any(axis=1))
        return request.counted(removed)

    low, high = _GONE, int(_SAFE) - 1
    if counted(high) < request.remove:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        if counted(middle) >= request.remove:
            high = middle
        else:
            low = middle
    return high


def _without(masks: Sequence[Tensor], chosen: Sequence[NDArray[np.bool_]]) -> list[Tensor]:
    """Masks without the chosen weights and what dies with them."""
    return cascade([mask & torch.from_numpy(~choice) for mask, choice in zip(masks, chosen, strict=True)])


def _nearest(
    masks_after: Callable[[int], list[Tensor]], most: int, masks: Sequence[Tensor], request: Request
) -> list[Tensor]:
    """``masks_after(n)`` for the n in 0..most that removes closest to what is asked; of two as close, the smaller."""
    before = [kept([mask]) for mask in masks]
    remove = request.remove

    def counted(after: Sequence[Tensor]) -> int:
        return request.counted([live - kept([mask]) for live, mask in zip(before, after, strict=True)])

    low, high = -1, most  # the fewest that remove enough lie in (low, high]
    while high - low > 1:
        middle = (low + high) // 2
        if counted(masks_after(middle)) >= remove:
            high = middle
        else:
            low = middle
    enough = masks_after(high)
    if high == 0:
        return enough
    fewer = masks_after(high - 1)
    short, over = remove - counted(fewer), counted(enough) - remove
    return fewer if abs(short) <= abs(over) else enough
