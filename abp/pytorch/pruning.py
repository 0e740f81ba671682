"""Pruning of any PyTorch model by the criteria of the registry; what is left are masks of `torch.nn.utils.prune`.

The rules are the trainer's (`abp.pruning.selection`) where they hold for any model: an amount is a share of all weights
of the counted layers, beyond those already removed; ties break by layer and position; no layer is emptied. What is
different: a neuron that dies takes nothing with it, since which weights of a model leave a neuron is known only to its
forward pass, and biases stay, as they do in `torch.nn.utils.prune`.
"""

from collections.abc import Iterator, Sequence
from typing import NoReturn

import torch
from torch import Tensor, nn
from torch.nn.utils import prune as torch_prune

from abp.network.masks import kept, total
from abp.pruning.criteria import CRITERIA, Criterion, Statistics
from abp.pruning.selection import even_quotas
from abp.pytorch.activity_counter import ActivityCounter

SCOPES = ("global", "per-layer")


class ActivationBased(torch_prune.BasePruningMethod):
    """Removes the weights of the lowest importance scores, of those that tie the first.

    For `torch.nn.utils.prune.global_unstructured`, with scores from `ActivityCounter.importance_scores`. Without scores
    PyTorch puts the weights in their place, and the smallest of these go.

    Parameters
    ----------
    amount
        How many weights to remove (int), or which share of those that are left (float from 0 to 1).

    Raises
    ------
    ValueError
        If the amount is negative, or a share above 1.

    Examples
    --------
    >>> model = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))
    >>> counter = ActivityCounter(model)
    >>> _ = model(torch.rand(8, 2))
    >>> scores = counter.importance_scores()
    >>> torch_prune.global_unstructured(list(scores), ActivationBased, importance_scores=scores, amount=1)
    >>> int(model[0].weight_mask.sum())
    3
    """

    PRUNING_TYPE = "unstructured"

    def __init__(self, amount: int | float) -> None:
        if isinstance(amount, bool) or amount < 0 or (isinstance(amount, float) and amount > 1):
            raise ValueError(f"amount must be a number of weights or a share from 0 to 1, not {amount!r}")
        self.amount = amount

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """`default_mask` without the lowest of the scores `t`, which are of the same shape."""
        number = self.amount if isinstance(self.amount, int) else round(self.amount * t.numel())
        mask = default_mask.clone(memory_format=torch.contiguous_format)
        mask.view(-1)[t.abs().flatten().argsort(stable=True)[:number]] = 0
        return mask


def prune(
    model: nn.Module,
    criterion: str,
    amount: float,
    counter: ActivityCounter | None = None,
    scope: str = "global",
) -> float:
    """Remove this share of all weights of a model's counted layers, beyond those already removed.

    Parameters
    ----------
    model
        Gets `torch.nn.utils.prune` masks on the ``weight`` of its counted layers; no other layer changes, and so never
        the output layer.
    criterion
        A key of `abp.pruning.criteria.CRITERIA` that removes something, and needs no more than weights and counts.
        Counts are shares of samples, or of their positions, so that layers can be compared. Random ones follow
        ``torch.manual_seed``.
    amount
        0 to 1.
    counter
        What was counted. A fresh one will do for criteria that need no counts, and is made if there is none.
    scope
        ``"global"``: one ranking over all counted layers; ``"per-layer"``: a ranking within each, so that all come to
        one sparsity.

    Returns
    -------
    float
        The share that was removed: what was asked for to the nearest weight, or neuron. Less where only one weight, or
        neuron, is left of every layer.

    Raises
    ------
    ValueError
        If the criterion, amount or scope cannot be used, the counter is another model's, or nothing was counted yet
        though the criterion needs it. Nothing is changed then.

    Examples
    --------
    >>> model = nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 2))
    >>> prune(model, "magnitude", 0.25)
    0.25
    >>> int(model[0].weight_mask.sum()), hasattr(model[2], "weight_mask")
    (24, False)
    """
    entry = _checked(criterion, amount, scope)
    if counter is None:
        counter = ActivityCounter(model)
        counter.remove()
    if counter.model is not model:
        raise ValueError("the counter must be this model's own")
    if entry.needs_counts and not all(counter.positions.values()):
        raise ValueError("nothing has been counted yet: train the model (in training mode) with its ActivityCounter on")
    modules = list(counter.layers.values())
    statistics = _statistics(criterion, counter)
    before = statistics.masks
    after = _choose(entry, statistics, round(amount * total(before)), scope)
    for module, mask in zip(modules, after, strict=True):
        weight = module.weight
        torch_prune.custom_from_mask(module, "weight", mask.view(weight.shape).to(weight))
    return (kept(before) - kept(after)) / total(before)


def _checked(criterion: str, amount: float, scope: str) -> Criterion:
    removing = {name: entry for name, entry in CRITERIA.items() if entry.scores and not entry.reinitialises}
    if criterion not in removing:
        reason = " (giving weights new values is the training loop's part)" if criterion in CRITERIA else ""
        raise ValueError(f"criterion must be one of {', '.join(removing)}, not {criterion!r}{reason}")
    if isinstance(amount, bool) or not isinstance(amount, int | float) or not 0 <= amount <= 1:
        raise ValueError(f"amount must be between 0 and 1, not {amount!r}")
    if scope not in SCOPES:
        raise ValueError(f"scope must be one of {', '.join(SCOPES)}, not {scope!r}")
    return removing[criterion]


def _statistics(criterion: str, counter: ActivityCounter) -> Statistics:
    """What is known of the counted layers, on the processor; matrices are ``[out, in * kernel]``."""

    def unavailable() -> NoReturn:
        raise ValueError(f"{criterion} needs a pass over the training set, and abp.pytorch.prune has only counts")

    layers = counter.layers.values()
    return Statistics(
        # The weight of a pruned layer is only brought up to date by its next forward pass; weight_orig is.
        weights=[_matrix(getattr(layer, "weight_orig", layer.weight)) for layer in layers],
        masks=[_matrix(getattr(layer, "weight_mask", torch.ones_like(layer.weight))) != 0 for layer in layers],
        counts=[share.cpu() for share in counter.frequency().values()],
        samples=1,  # of which the counts are shares
        generator=torch.default_generator,
        measure=unavailable,
        gradients=unavailable,
    )


def _matrix(tensor: Tensor) -> Tensor:
    """A layer's weight or mask as float32 ``[out, in * kernel]``."""
    return tensor.detach().cpu().float().flatten(1)


def _choose(entry: Criterion, statistics: Statistics, remove: int, scope: str) -> list[Tensor]:
    """New masks ``[out, in * kernel]``: see `abp.pruning.prune_network.choose`, which does it for perceptrons."""
    assert entry.scores is not None
    scores, masks = entry.scores(statistics), statistics.masks
    if entry.as_many_as:
        after = _choose(CRITERIA[entry.as_many_as], statistics, remove, scope)
        sizes = [mask.any(1).long() for mask in masks] if entry.whole_neurons else _sizes(masks, whole_neurons=False)
        left = [mask.any(1) if entry.whole_neurons else mask for mask in after]
        quotas = [int(size.sum()) - int(mask.sum()) for size, mask in zip(sizes, left, strict=True)]
    else:
        sizes = _sizes(masks, whole_neurons=entry.whole_neurons)
        if scope == "global":
            return _lowest_removed(scores, masks, sizes, remove)
        quotas = even_quotas(masks, remove)
    parts = zip(scores, masks, sizes, quotas, strict=True)
    return [_lowest_removed([score], [mask], [size], quota)[0] for score, mask, size, quota in parts]


def _sizes(masks: Sequence[Tensor], *, whole_neurons: bool) -> list[Tensor]:
    """How many weights go with each neuron, int64 ``[out]``, or with each weight, ``[out * in]``: one, or none."""
    return [mask.sum(1) if whole_neurons else mask.flatten().long() for mask in masks]


def _lowest_removed(
    scores: Sequence[Tensor], masks: Sequence[Tensor], sizes: Sequence[Tensor], remove: int
) -> list[Tensor]:
    """Masks without the lowest of `scores` in one ranking, so many of them that their `sizes` come nearest to `remove`.

    Scores are ``[out, in]``, or ``[out]`` where whole neurons go. The highest one of each layer stays.
    """
    size, score = torch.cat(list(sizes)), torch.cat([score.flatten() for score in scores])
    if not torch.isfinite(score).all():
        raise ValueError("scores must be finite: a weight or a count is not a number")
    candidates = size > 0
    candidates[list(_strongest(sizes, scores))] = False
    places = candidates.nonzero().flatten()
    order = places[score[places].argsort(stable=True)]
    removed = torch.cat([torch.zeros(1, dtype=torch.int64), size[order].cumsum(0)])  # by the first 0, 1, 2, ...
    going = order[: int((removed - remove).abs().argmin())]
    size[going] = 0
    left = (size > 0).split([len(part) for part in sizes])
    pairs = zip(masks, left, strict=True)
    return [mask & (keep.view(mask.shape) if keep.numel() == mask.numel() else keep[:, None]) for mask, keep in pairs]


def _strongest(sizes: Sequence[Tensor], scores: Sequence[Tensor]) -> Iterator[int]:
    """Place, in the layers joined, of each layer's highest score among what is left; of those that tie, the last."""
    start = 0
    for size, score in zip(sizes, scores, strict=True):
        left = torch.where(size > 0, score.flatten(), -1.0)
        yield start + len(left) - 1 - int(left.flip(0).argmax())
        start += len(left)
