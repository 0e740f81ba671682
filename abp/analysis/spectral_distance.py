"""How differently the singular values of two networks fall off."""

from collections.abc import Sequence

import numpy as np

from abp.analysis.spectra import SingularValues


def spectral_distance(first: Sequence[SingularValues], second: Sequence[SingularValues]) -> float:
    """Distance of the shapes of two networks' singular values, 0 (alike) to 1, whatever their size.

    Each layer's singular values are divided by their sum; the distance is half the sum of absolute differences
    (total variation), the mean over the layers. A layer of zeros is as far as can be from any other.

    >>> spectral_distance([np.array([4.0, 0.0])], [np.array([1.0, 1.0])])
    0.5
    """
    return float(np.mean([_layer_distance(a, b) for a, b in zip(first, second, strict=True)]))


def _layer_distance(first: SingularValues, second: SingularValues) -> float:
    totals = first.sum(), second.sum()
    if not all(totals):
        return float(any(totals))
    return float(np.abs(first / totals[0] - second / totals[1]).sum() / 2)
