"""Pruning a network: a criterion ranks its weights, a selection takes as many as were asked for, and they go."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from abp.network.activation_statistics import Measurement
from abp.network.live import remove_weights
from abp.network.masks import kept, live_neurons
from abp.network.mlp import Network
from abp.pruning.criteria import CRITERIA, Statistics
from abp.pruning.selection import (
    Request,
    even_quotas,
    select_as_many_neurons,
    select_neurons,
    select_quotas,
    select_weights,
)


def prune_network(
    network: Network,
    masks: Sequence[Tensor],
    criterion: str,
    request: Request,
    *,
    scope: str = "global",
    counts: Sequence[Tensor],
    samples: float,
    generator: torch.Generator,
    measure: Callable[[], Measurement],
    gradients: Callable[[], list[Tensor]],
) -> list[Tensor]:
    """Remove weights from a network, in place, as a criterion chooses them, and return the new masks.

    The constants that neurons without inputs emit are folded into the next layer: see `remove_weights`.

    Parameters
    ----------
    masks
        What is kept so far, bool ``[out, in]`` per hidden layer.
    criterion, request, scope
        As in `choose_masks`.
    counts, samples, generator, measure, gradients
        As in `abp.pruning.criteria.Statistics`.

    Returns
    -------
    list of torch.Tensor
        What is kept now, bool ``[out, in]`` per hidden layer. If anything is raised, the network is as it was.
    """
    statistics = Statistics(network.weights[:-1], masks, counts, samples, generator, measure, gradients)
    chosen = choose_masks(criterion, statistics, request, scope=scope)
    remove_weights(network, chosen)
    return chosen


def choose_masks(criterion: str, statistics: Statistics, request: Request, *, scope: str = "global") -> list[Tensor]:
    """New masks, bool ``[out, in]`` per hidden layer, after a pruning of the masks in `statistics`.

    Parameters
    ----------
    criterion
        A key of `abp.pruning.criteria.CRITERIA` that removes something.
    request
        How much to remove.
    scope
        ``"global"``: one ranking over all hidden layers; ``"per-layer"``: each layer loses the same share by a ranking
        of its own. A criterion that is `as_many_as` another one passes it on to that one; a request for one layer has
        no use for it.

    Raises
    ------
    ValueError
        If the criterion removes nothing, or its scores cannot be ranked.
    """
    entry = CRITERIA[criterion]
    if entry.scores is None:
        raise ValueError(f"{criterion!r} removes nothing")
    select = select_neurons if entry.whole_neurons else select_weights
    scores, masks = entry.scores(statistics), statistics.masks
    if entry.as_many_as:
        others = choose_masks(entry.as_many_as, statistics, request, scope=scope)
        if entry.whole_neurons:
            pairs = zip(live_neurons(masks), live_neurons(others), strict=True)
            return select_as_many_neurons(scores, masks, [int(old.sum() - new.sum()) for old, new in pairs])
        quotas = [kept([old]) - kept([new]) for old, new in zip(masks, others, strict=True)]
        return select_quotas(select, scores, masks, quotas)
    if request.layer is None and scope == "per-layer":
        return select_quotas(select, scores, masks, even_quotas(masks, request.remove))
    return select(scores, masks, request)
