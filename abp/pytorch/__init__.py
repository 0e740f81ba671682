"""Activation-based pruning of any PyTorch model: `torch.nn.Linear` and `torch.nn.Conv2d` layers, ordinary masks.

`ActivityCounter` counts while the model trains, `prune` removes by what was counted, and what it leaves are the masks
of `torch.nn.utils.prune`; `ActivationBased` is the same for callers of that module. `spectra` and `low_rank` look at
the layers' matrices.
"""

from abp.pytorch.activity_counter import ActivityCounter
from abp.pytorch.decomposition import low_rank, spectra
from abp.pytorch.pruning import ActivationBased, prune

__all__ = ["ActivationBased", "ActivityCounter", "low_rank", "prune", "spectra"]
