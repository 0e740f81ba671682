"""The nuclear norm as a regulariser: the sum of a layer's singular values, held down while it is trained.

The published study weights it by index: ``sum_i i * s_i``, the smallest singular value having the greatest weight.
"""

import time

import torch
from torch import Tensor

from abp.network.live import LiveNetwork
from abp.training.decomposition import decomposed, rescaled
from abp.training.experiment import Experiment


class Regulariser:
    """Holds the nuclear norm of the hidden layers down while they are trained, as an experiment's settings say.

    Attributes
    ----------
    active
        Whether it acts in the epoch in progress.
    seconds
        Time it has taken so far.
    """

    def __init__(self, settings: Experiment) -> None:
        self.settings = settings
        self.active = False
        self.seconds = 0.0

    def begin_epoch(self, accuracy: float) -> None:
        """Decide whether it acts in an epoch that follows one of this training accuracy."""
        self.active = self.settings.nuclear > 0 and accuracy >= self.settings.nuclear_from

    def after_step(self, step: int, live: LiveNetwork) -> None:
        """Every so many training steps, one regularising step for all since the last one, in place."""
        if not self.active or step % self.settings.nuclear_every:
            return
        began = time.perf_counter()
        settings, by_index = self.settings, self.settings.nuclear_weights == "index"
        amount = settings.learning_rate * settings.nuclear_every * settings.nuclear
        for weight, mask in zip(live.network.weights[:-1], live.masks, strict=True):
            if settings.nuclear_step == "proximal":
                weight.copy_(shrink_singular_values(weight, amount, by_index))
            else:
                weight.sub_(nuclear_norm_gradient(weight, by_index), alpha=amount)
            if mask is not None:
                weight.mul_(mask)
        self.seconds += time.perf_counter() - began


def nuclear_norm_gradient(weight: Tensor, by_index: bool = False) -> Tensor:
    """A subgradient of the sum of singular values: U diag(w) V', over those that are not zero.

    Parameters
    ----------
    weight
        float32 ``[out, in]``.
    by_index
        Whether the i-th largest singular value (i = 1, 2, ...) counts i times; else w is 1.

    Returns
    -------
    torch.Tensor
        float32 ``[out, in]``.

    Examples
    --------
    >>> nuclear_norm_gradient(torch.diag(torch.tensor([2.0, 0.0]))).tolist()
    [[1.0, 0.0], [0.0, 0.0]]
    """
    matrix, left, values = decomposed(weight)
    # NumPy's tolerance of the rank of a float32 matrix.
    zero = values <= max(weight.shape) * torch.finfo(torch.float32).eps * values.max()
    factors = torch.where(zero, 0.0, _index_weights(values, by_index) / values)
    return rescaled(matrix, left, factors, weight)


def shrink_singular_values(weight: Tensor, amount: float, by_index: bool = False) -> Tensor:
    """Each singular value less `amount` times its weight, at least 0: singular value thresholding.

    It is the proximal map of `amount` times the nuclear norm (Cai, Candes & Shen 2010), and with weights that rise
    with the index that of the weighted one (Gu et al. 2014). Parameters as of `nuclear_norm_gradient`.

    >>> shrink_singular_values(torch.diag(torch.tensor([3.0, 1.0])), 1.5).tolist()
    [[1.5, 0.0], [0.0, 0.0]]
    """
    matrix, left, values = decomposed(weight)
    shrunk = (values - amount * _index_weights(values, by_index)).clamp(min=0)
    return rescaled(matrix, left, torch.where(shrunk > 0, shrunk / values, 0.0), weight)


def _index_weights(values: Tensor, by_index: bool) -> Tensor:
    return torch.arange(1.0, len(values) + 1, dtype=values.dtype) if by_index else torch.ones_like(values)
