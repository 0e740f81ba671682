"""Decomposition of a model's layers: the singular values of their matrices, and the model at lower ranks.

The matrix of a `torch.nn.Linear` is its weight ``[out, in]``, that of a `torch.nn.Conv2d` its kernels, one a row:
``[out, in * height * width]``.
"""

import copy
from collections.abc import Mapping

import torch
from torch import nn
from torch.nn.utils import prune as torch_prune

from abp.analysis.low_rank import decompose
from abp.analysis.spectra import Spectrum, summarise_all
from abp.pytorch.activations import layers


def spectra(model: nn.Module) -> dict[str, Spectrum]:
    """Name of each Linear and Conv2d layer -> singular values, ranks and norms of its matrix, masks applied.

    >>> spectra(nn.Sequential(nn.Linear(4, 3)))["0"].rank
    3
    """
    _refresh(model)
    found = layers(model)
    matrices = [layer.weight.detach().cpu().flatten(1) for layer in found.values()]
    return dict(zip(found, summarise_all(matrices), strict=True))


def low_rank(model: nn.Module, ranks: Mapping[str, int], method: str = "svd") -> nn.Module:
    """A copy of a model whose layers have these ranks at most; the model itself stays as it is.

    Parameters
    ----------
    model
        Any model of Linear and Conv2d layers. Masks of layers that are reduced become part of their weights in the
        copy, since a matrix of low rank is dense.
    ranks
        Name of a layer -> rank; layers that are not named, or of no higher rank than their matrix can have, stay as
        they are, to the bit.
    method
        ``"svd"``, the nearest matrix of that rank, or ``"pca"``, as in the published study: see
        `abp.analysis.low_rank.by_svd` and `by_pca`.

    Raises
    ------
    ValueError
        If the model has no layer of a name, a rank is negative or the method is another.

    Examples
    --------
    >>> model = nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 2))
    >>> [layer.rank for layer in spectra(low_rank(model, {"0": 3})).values()]
    [3, 2]
    """
    if method not in ("svd", "pca"):
        raise ValueError(f'method must be "svd" or "pca", not {method!r}')
    _refresh(model)
    reduced = copy.deepcopy(model)
    found = layers(reduced)
    for name, rank in ranks.items():
        if name not in found:
            raise ValueError(f"the model has no Linear or Conv2d layer {name!r}; it has {', '.join(found)}")
        if rank < 0:
            raise ValueError(f"rank of {name} must be at least 0, not {rank}")
        layer = found[name]
        matrix = layer.weight.detach().flatten(1)
        if rank >= min(matrix.shape):
            continue
        if torch_prune.is_pruned(layer) and hasattr(layer, "weight_orig"):
            torch_prune.remove(layer, "weight")
        with torch.no_grad():
            layer.weight.copy_(decompose(matrix.cpu(), method).at(rank).view(layer.weight.shape))
    return reduced


def _refresh(model: nn.Module) -> None:
    """Bring the weights of pruned layers up to date, as their next forward pass would.

    Until then they are those of the last pass, and belong to its graph, which cannot be copied.
    """
    with torch.no_grad():
        for layer in layers(model).values():
            for hook in layer._forward_pre_hooks.values():
                if isinstance(hook, torch_prune.BasePruningMethod):
                    hook(layer, None)
