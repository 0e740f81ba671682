"""Parts: those that the source gives, or drawn once, evenly by class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from abp.data.own.limits import BadData

TEST_SHARE, VALID_SHARE = 0.2, 0.1
"""Of all samples; of what remains."""


def split(labels: NDArray, parts: NDArray, seed: int) -> dict[str, NDArray]:
    """Indices of the samples of each part: ``"valid"``, ``"train"``, ``"test"``.

    Given test and validation samples stay what they are; what is not given is drawn from the rest by the seed.

    Parameters
    ----------
    labels
        The class of each, int ``[samples]``.
    parts
        ``"train"``, ``"valid"``, ``"test"`` or ``""`` of each.

    Raises
    ------
    BadData
        If a part or a class would have no samples to train on.
    """
    rng = np.random.default_rng(seed)
    test, valid = np.flatnonzero(parts == "test"), np.flatnonzero(parts == "valid")
    if not len(test):
        test = evenly(labels, np.flatnonzero(parts != "valid"), TEST_SHARE, rng)
    if not len(valid):
        rest = np.setdiff1d(np.arange(len(labels)), test)
        valid = evenly(labels, rest, VALID_SHARE, rng)
    train = np.setdiff1d(np.arange(len(labels)), np.concatenate([test, valid]))
    if not len(train):
        raise BadData("All samples are for testing or validation; none is left to train on.")
    return {"valid": valid, "train": rng.permutation(train), "test": test}


def evenly(labels: NDArray, among: NDArray, share: float, rng: np.random.Generator) -> NDArray:
    """A share of some samples, at least one, of each class as near to its share as whole numbers allow; sorted.

    >>> chosen = evenly(np.repeat([0, 1], 50), np.arange(100), 0.2, np.random.default_rng(0))
    >>> len(chosen), int((chosen < 50).sum())
    (20, 10)
    """
    kinds, counts = np.unique(labels[among], return_counts=True)
    wanted = max(1, round(share * len(among)))
    exact = wanted * counts / counts.sum()
    quota = np.floor(exact).astype(int)
    quota[np.argsort(quota - exact, kind="stable")[: wanted - quota.sum()]] += 1
    chosen = [rng.permutation(among[labels[among] == kind])[:number] for kind, number in zip(kinds, quota, strict=True)]
    return np.sort(np.concatenate(chosen))
