"""Selection: which weights go, so that as many are removed *in all* as was asked for.

A pruning removes the lowest scores of all hidden layers in one global ranking; ties break by layer and position. A
neuron that loses its last incoming weight loses its outgoing ones too, and these count: the threshold is chosen by
bisection so that the sum comes out right to the nearest weight, or neuron. The strongest path from the inputs to the
last hidden layer (the one whose weakest link is strongest) is never cut, so that no layer is emptied; it is the path
that a threshold would cut last anyway.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from abp.pruning.masks import cascade, kept

_GONE = -1  # below every score
_SAFE = np.iinfo(np.int32).max  # above every score


def select_weights(scores: Sequence[Tensor], masks: Sequence[Tensor], remove: int) -> list[Tensor]:
    """New masks after removing the `remove` lowest-scored weights, outgoing weights of neurons that die included.

    Parameters
    ----------
    scores
        float32 ``[out, in]`` per hidden layer, at least zero; scores of removed weights are ignored.
    masks
        bool ``[out, in]`` per hidden layer, True = kept.
    remove
        How many weights to remove beyond those already removed. As many as the unbroken path allows are removed
        if it asks for more.

    Raises
    ------
    ValueError
        If a score is negative or not finite.

    Examples
    --------
    >>> select_weights([torch.tensor([[3.0, 1.0, 2.0]])], [torch.ones(1, 3, dtype=torch.bool)], 1)[0].tolist()
    [[True, False, True]]
    """
    ranks = _ranks(scores, masks)
    _protect(ranks)
    threshold = _threshold(ranks, remove)
    if threshold is None:
        return _without(masks, [rank != _SAFE for rank in ranks])

    # All below the threshold go; of those that tie on it, the first so many.
    tied = [rank == threshold for rank in ranks]
    order = np.cumsum(np.concatenate([tie.ravel() for tie in tied]))
    orders = np.split(order, np.cumsum([tie.size for tie in tied])[:-1])

    def masks_after(ties: int) -> list[Tensor]:
        first = [tie & (position.reshape(tie.shape) <= ties) for tie, position in zip(tied, orders, strict=True)]
        return _without(masks, [(rank < threshold) | tie for rank, tie in zip(ranks, first, strict=True)])

    return _nearest(masks_after, int(order[-1]), masks, remove)


def select_neurons(scores: Sequence[Tensor], masks: Sequence[Tensor], remove: int) -> list[Tensor]:
    """As `select_weights`, but removing whole neurons, the lowest of scores ``[out]`` first."""
    spread = [score[:, None].expand(mask.shape) for score, mask in zip(scores, masks, strict=True)]
    ranks = _ranks(spread, masks)
    _protect(ranks)
    strongest = np.concatenate([rank.max(axis=1) for rank in ranks])  # [all neurons]
    removable = np.flatnonzero((strongest != _GONE) & (strongest != _SAFE))
    order = removable[np.argsort(strongest[removable], kind="stable")]
    ends = np.cumsum([len(mask) for mask in masks])[:-1]

    def masks_after(neurons: int) -> list[Tensor]:
        chosen = np.zeros(len(strongest), dtype=bool)
        chosen[order[:neurons]] = True
        return _without(masks, [part[:, None] for part in np.split(chosen, ends)])

    return _nearest(masks_after, len(order), masks, remove)


def _ranks(scores: Sequence[Tensor], masks: Sequence[Tensor]) -> list[NDArray[np.int32]]:
    """Scores as integers of the same order (the bits of a float32 of at least zero), removed weights as -1."""
    ranks = []
    for layer, (score, mask) in enumerate(zip(scores, masks, strict=True)):
        if not bool(torch.isfinite(score).all()) or float(score.min()) < 0:
            raise ValueError(f"scores of hidden layer {layer + 1} must be finite and at least zero")
        bits = (score.float() + 0.0).numpy().view(np.int32)  # + 0.0 turns -0.0 into 0.0
        ranks.append(np.where(mask.numpy(), bits, np.int32(_GONE)))
    return ranks


def _protect(ranks: list[NDArray[np.int32]]) -> None:
    """Mark the path with the strongest weakest link as safe, in place; of links that tie, the later is stronger."""
    strength = np.full(ranks[0].shape[1], np.iinfo(np.int64).max)  # [inputs]: the weakest link on the way here
    sources = []
    start = 0
    for rank in ranks:
        place = np.arange(start, start + rank.size).reshape(rank.shape)
        order = (rank.astype(np.int64) << 32) + place  # removed weights stay below zero
        links = np.minimum(order, strength)
        sources.append(links.argmax(axis=1))
        strength = links.max(axis=1)
        start += rank.size
    neuron = int(strength.argmax())
    for rank, source in zip(reversed(ranks), reversed(sources), strict=True):
        before = int(source[neuron])
        rank[neuron, before] = _SAFE
        neuron = before


def _threshold(ranks: Sequence[NDArray[np.int32]], remove: int) -> int | None:
    """The lowest rank such that removing it and all below removes at least `remove` weights; None if none does."""
    gone = sum(np.count_nonzero(rank == _GONE) for rank in ranks)
    strongest = [rank.max(axis=1) for rank in ranks]  # a neuron dies once its strongest weight goes

    def removed(threshold: int) -> int:
        count = -gone
        dying = np.zeros(ranks[0].shape[1], dtype=bool)
        for rank, best in zip(ranks, strongest, strict=True):
            count += np.count_nonzero(rank <= threshold)
            if dying.any():
                count += np.count_nonzero(rank[:, dying] > threshold)
                best = rank[:, ~dying].max(axis=1)
            dying = best <= threshold
        return int(count)

    low, high = _GONE, int(_SAFE) - 1
    if removed(high) < remove:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        if removed(middle) >= remove:
            high = middle
        else:
            low = middle
    return high


def _without(masks: Sequence[Tensor], chosen: Sequence[NDArray[np.bool_]]) -> list[Tensor]:
    """Masks without the chosen weights and what dies with them."""
    return cascade([mask & torch.from_numpy(~choice) for mask, choice in zip(masks, chosen, strict=True)])


def _nearest(
    masks_after: Callable[[int], list[Tensor]], most: int, masks: Sequence[Tensor], remove: int
) -> list[Tensor]:
    """``masks_after(n)`` for the n of 0..most that removes nearest to `remove`; of two as near, the smaller."""
    before = kept(masks)
    low, high = -1, most  # the fewest that remove enough lie in (low, high]
    while high - low > 1:
        middle = (low + high) // 2
        if before - kept(masks_after(middle)) >= remove:
            high = middle
        else:
            low = middle
    enough = masks_after(high)
    if high == 0:
        return enough
    fewer = masks_after(high - 1)
    short, over = remove - (before - kept(fewer)), before - kept(enough) - remove
    return fewer if abs(short) <= abs(over) else enough
