"""Confusion: which classes a network mistakes for which, and which pictures only one of two networks gets right."""

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix
from torch import Tensor

from abp.network.mlp import Network


def predictions(network: Network, x: Tensor) -> NDArray[np.int64]:
    """The class that a network gives to each picture ``[samples, inputs]``: int64 ``[samples]``."""
    return np.concatenate([network(part).argmax(1).numpy() for part in x.split(1024)])


def confusion(truth: NDArray, predicted: NDArray, classes: int) -> NDArray[np.int64]:
    """Pictures of each class (rows) that were classified as each class (columns), int64 ``[classes, classes]``."""
    return confusion_matrix(truth, predicted, labels=np.arange(classes))


def balanced_accuracy(truth: NDArray, predicted: NDArray) -> float:
    """The share of each class that was classified correctly, averaged over the classes that occur.

    >>> balanced_accuracy(np.array([0, 0, 0, 1]), np.array([0, 0, 0, 0]))
    0.5
    """
    return float(np.mean([np.mean(predicted[truth == kind] == kind) for kind in np.unique(truth)]))


def lost(truth: NDArray, before: NDArray, after: NDArray) -> NDArray[np.int64]:
    """Indices of the pictures that were classified correctly before and are not after."""
    return np.flatnonzero((before == truth) & (after != truth))
