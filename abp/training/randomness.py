"""Random numbers that depend only on a seed, a purpose and a counter.

Drawing each epoch's order from its own generator keeps the data order of one seed the same under every criterion,
and a checkpoint needs no generator state: seed, epoch and number of prunings say it all.
"""

import numpy as np
import torch

_PURPOSES = {"weights": 0, "order": 1, "pruning": 2}


def generator(seed: int, purpose: str, index: int = 0) -> torch.Generator:
    """A fresh generator for one purpose of one run.

    Parameters
    ----------
    seed
        The run's seed.
    purpose
        ``"weights"`` (initial weights; with index 1, those of a control that is reinitialised under its masks),
        ``"order"`` (data order of epoch `index`) or ``"pruning"`` (random scores of pruning number `index`).
    index
        Which epoch or pruning.

    Examples
    --------
    >>> first, again = generator(0, "order", 1), generator(0, "order", 1)
    >>> bool((torch.randperm(9, generator=first) == torch.randperm(9, generator=again)).all())
    True
    """
    state = np.random.SeedSequence([seed, _PURPOSES[purpose], index]).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state) >> 1)
