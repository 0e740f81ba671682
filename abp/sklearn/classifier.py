"""A multilayer perceptron for scikit-learn that is pruned while it is fitted."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from functools import partial
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import Tags, check_array, check_consistent_length, check_random_state
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from abp.network.masks import sparsity
from abp.pruning.criteria import CRITERIA
from abp.sklearn.network_training import NetworkTraining, Samples
from abp.sklearn.parameters import check_parameters, layer_sizes
from abp.training.experiment import Experiment
from abp.training.schedule import accuracy_thresholds, cumulative_targets


class PrunedMLPClassifier(ClassifierMixin, BaseEstimator):
    """A ReLU perceptron that loses weights, or neurons, while it learns.

    It trains as `sklearn.neural_network.MLPClassifier` does, by the same loss, and stops by the same rule. A pruning is
    made at the end of an epoch whose training accuracy reaches a threshold, as in the published study, or in which
    training has converged, or that is the last one to leave the prunings to come their share of `max_iter`: so `fit`
    always removes what was asked for.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default=(100,)
        Neurons of each hidden layer.
    criterion : str, default="activation"
        What to remove: a key of `abp.pruning.criteria.CRITERIA`, ``"none"`` for nothing.
    amount : float, default=0.8
        Share of all hidden weights to remove, 0 to 1; the output layer keeps its own.
    prunings : int, default=5
        In how many steps.
    scope : {"global", "per-layer"}, default="global"
        One ranking over all hidden layers, or one within each.
    solver : {"adam", "sgd"}, default="adam"
        Optimiser.
    batch_size : int or "auto", default="auto"
        Samples of a training step; ``"auto"`` is 200, or all of them if there are fewer.
    learning_rate_init : float, default=0.001
        Learning rate, which is constant.
    momentum : float, default=0.9
        Of the solver ``"sgd"``; without it, a step is fastest.
    max_iter : int, default=200
        Epochs at most.
    tol : float, default=1e-4
        Training has converged when the loss has not fallen by this much for `n_iter_no_change` epochs.
    n_iter_no_change : int, default=10
        See `tol`.
    random_state : int, RandomState instance or None, default=None
        Fixes initial weights, order of samples and random criteria.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels.
    coefs_ : list of ndarray of shape (n_in, n_out)
        Weights of each layer, the output layer last; one output for two classes, as `MLPClassifier` has.
    intercepts_ : list of ndarray of shape (n_out,)
        Biases of each layer.
    masks_ : list of ndarray of bool of shape (n_in, n_out)
        For each hidden layer which weights are kept; those removed are zero in `coefs_`.
    sparsity_ : float
        Share of hidden weights that are removed.
    history_ : list of dict
        For each epoch ``epoch``, ``loss``, ``accuracy`` (both over weights that change) and ``sparsity`` at its end.
    n_iter_ : int
        Epochs of the last `fit`, 1 after `partial_fit`.
    n_features_in_ : int
        Features seen during fit.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, where `X` has names.

    Notes
    -----
    Counts of activations are weighted as the samples are; the passes of ``"wanda"`` and ``"apoz"`` are not.

    References
    ----------
    T. Ganguli, E. K. P. Chong, "Activation-Based Pruning of Neural Networks", Algorithms 17(1):48, 2024.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> X, y = load_digits(return_X_y=True)
    >>> classifier = PrunedMLPClassifier((50,), amount=0.7, learning_rate_init=0.01, tol=0.01, random_state=0)
    >>> classifier.fit(X / 16, y).score(X / 16, y) > 0.95
    True
    >>> round(classifier.sparsity_, 2), [coef.shape for coef in classifier.coefs_]
    (0.7, [(64, 50), (50, 10)])
    """

    def __init__(
        self,
        hidden_layer_sizes: int | Iterable[int] = (100,),
        *,
        criterion: str = "activation",
        amount: float = 0.8,
        prunings: int = 5,
        scope: str = "global",
        solver: str = "adam",
        batch_size: int | str = "auto",
        learning_rate_init: float = 0.001,
        momentum: float = 0.9,
        max_iter: int = 200,
        tol: float = 1e-4,
        n_iter_no_change: int = 10,
        random_state: Any = None,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.criterion = criterion
        self.amount = amount
        self.prunings = prunings
        self.scope = scope
        self.solver = solver
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.momentum = momentum
        self.max_iter = max_iter
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:  # noqa: N803
        """Train and prune a new network.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training samples.
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            Labels, or which of several labels hold (multilabel).
        sample_weight : array-like of shape (n_samples,), default=None
            A sample of weight 2 acts, and is counted, as two samples.

        Returns
        -------
        PrunedMLPClassifier
            Itself, fitted.
        """
        check_parameters(self)
        samples = self._validated(X, y, sample_weight, first=True)
        self._begin(samples)
        epochs, convergence = 0, _Convergence(self.tol, self.n_iter_no_change)
        while epochs < self.max_iter:
            epochs += 1
            loss, accuracy = self._train_epoch(samples)
            converged = convergence.reached(loss)
            if converged and not self._remaining:
                break
            if self._prune_while_due(samples, accuracy, converged=converged, epochs=epochs):
                convergence = _Convergence(self.tol, self.n_iter_no_change)
        else:
            warnings.warn(
                f"{self.max_iter} iterations were made, but the optimisation has not converged yet",
                ConvergenceWarning,
                stacklevel=2,
            )
        self.n_iter_ = epochs
        return self

    def partial_fit(
        self,
        X: ArrayLike,  # noqa: N803
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        classes: ArrayLike | None = None,
    ) -> Self:
        """Train for one epoch on some samples; prune at its end if its accuracy has reached a pruning's threshold.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`; `y` need not hold all classes.
        classes : array-like of shape (n_classes,), default=None
            All classes there will be: needed in the first call.

        Returns
        -------
        PrunedMLPClassifier
            Itself, fitted further.
        """
        check_parameters(self)
        first = not hasattr(self, "classes_")
        if first and classes is None:
            raise ValueError(
                "classes must be named in the first call of partial_fit, since later samples may bring others"
            )
        samples = self._validated(X, y, sample_weight, first=first, classes=classes)
        if first:
            self._begin(samples)
        _, accuracy = self._train_epoch(samples)
        self._prune_while_due(samples, accuracy)
        self.n_iter_ = 1
        return self

    def predict(self, X: ArrayLike) -> NDArray:  # noqa: N803
        """Labels of samples, of shape (n_samples,) or, multilabel, (n_samples, n_classes)."""
        probabilities = self._outputs(X)
        return self._binarizer.inverse_transform(
            probabilities[:, 0] if probabilities.shape[1] == 1 else probabilities, threshold=0.5
        )

    def predict_proba(self, X: ArrayLike) -> NDArray[np.floating]:  # noqa: N803
        """Probability of each class, in the order of `classes_`, of shape (n_samples, n_classes)."""
        probabilities = self._outputs(X)
        if len(self.classes_) == 1:
            return np.ones_like(probabilities)
        return np.hstack([1 - probabilities, probabilities]) if probabilities.shape[1] == 1 else probabilities

    def predict_log_proba(self, X: ArrayLike) -> NDArray[np.floating]:  # noqa: N803
        """Logarithm of `predict_proba`."""
        return np.log(self.predict_proba(X))

    @property
    def coefs_(self) -> list[NDArray[np.floating]]:
        """Weights of each layer, of shape (n_in, n_out)."""
        return [weight.numpy().T for weight in self._training.network.weights]

    @property
    def intercepts_(self) -> list[NDArray[np.floating]]:
        """Biases of each layer, of shape (n_out,)."""
        return [bias.numpy() for bias in self._training.network.biases]

    @property
    def masks_(self) -> list[NDArray[np.bool_]]:
        """Which weights of each hidden layer are kept, of shape (n_in, n_out)."""
        return [mask.numpy().T for mask in self._training.masks]

    @property
    def sparsity_(self) -> float:
        """Share of hidden weights that are removed."""
        return sparsity(self._training.masks)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        tags.input_tags.sparse = True
        return tags

    # Training

    def _begin(self, samples: Samples) -> None:
        """A new network, and nothing recorded."""
        adam = partial(torch.optim.Adam, lr=self.learning_rate_init, fused=True)
        sgd = partial(torch.optim.SGD, lr=self.learning_rate_init, momentum=self.momentum, fused=True)
        self._training = NetworkTraining(
            [samples.x.shape[1], *layer_sizes(self.hidden_layer_sizes), samples.targets.shape[1]],
            dtype=torch.float32 if samples.x.dtype == np.float32 else torch.float64,
            seed=check_random_state(self.random_state).randint(np.iinfo(np.int32).max),
            learning_rate=self.learning_rate_init,
            optimiser=adam if self.solver == "adam" else sgd if self.momentum else None,
            multilabel=self._multilabel,
        )
        self.history_: list[dict[str, float]] = []
        if CRITERIA[self.criterion].schedule == "before-training":
            self._prune(samples)

    def _train_epoch(self, samples: Samples) -> tuple[float, float]:
        batch_size = min(200 if self.batch_size == "auto" else int(self.batch_size), len(samples))
        loss, accuracy = self._training.train_epoch(samples, batch_size)
        if not np.isfinite(loss):
            raise ValueError(f"the loss became {loss}; scale the features, or try a smaller learning_rate_init")
        record = {"epoch": self._training.epochs, "loss": loss, "accuracy": accuracy, "sparsity": self.sparsity_}
        self.history_.append(record)
        return loss, accuracy

    @property
    def _steps(self) -> int:
        """How many prunings there are to be in all."""
        entry = CRITERIA[self.criterion]
        if entry.scores is None or not self.amount:
            return 0
        return min(1, self.prunings) if entry.schedule == "before-training" else self.prunings

    @property
    def _remaining(self) -> int:
        """Prunings still to be made."""
        return max(0, self._steps - self._training.prunings)

    def _prune_while_due(self, samples: Samples, accuracy: float, *, converged: bool = False, epochs: int = 0) -> bool:
        """Make the prunings that are due at an epoch's end; whether there were any.

        One is due by the accuracy, or as training has converged; or several, the k-th of n by the k-th part of n + 1 of
        `max_iter`, so that the network trains on after the last one.
        """
        before = self._training.prunings
        thresholds = accuracy_thresholds(Experiment.start_accuracy, Experiment.stop_accuracy, self._steps)
        if self._remaining and (converged or accuracy >= thresholds[before]):
            self._prune(samples)
        while self._remaining and epochs * (self._steps + 1) >= self.max_iter * (self._training.prunings + 1):
            self._prune(samples)
        self.history_[-1]["sparsity"] = self.sparsity_
        return self._training.prunings > before

    def _prune(self, samples: Samples) -> None:
        """Make the next pruning, if there is one left."""
        if not self._remaining:
            return
        targets = cumulative_targets(self.amount, self._steps, Experiment.share_ratio)
        self._training.prune(self.criterion, targets[self._training.prunings], self.scope, samples)
        if not self._remaining and CRITERIA[self.criterion].reinitialises:
            self._training.reinitialise()

    # Checks

    def _validated(
        self,
        X: ArrayLike,  # noqa: N803
        y: ArrayLike,
        sample_weight: ArrayLike | None,
        *,
        first: bool,
        classes: ArrayLike | None = None,
    ) -> Samples:
        """The samples in the form that training takes; those of weight zero are left out."""
        x, labels = validate_data(
            self, X, y, accept_sparse="csr", dtype=(np.float64, np.float32), multi_output=True, reset=first
        )
        if labels.ndim == 2 and labels.shape[1] == 1:
            labels = column_or_1d(labels, warn=True)
        self._learn_classes(labels, classes, first)
        targets = self._binarizer.transform(labels).astype(x.dtype)
        if sample_weight is None:
            return Samples(x, targets, np.ones(len(targets), dtype=x.dtype), weighted=False)
        weights = check_array(sample_weight, ensure_2d=False, dtype=x.dtype, input_name="sample_weight")
        if weights.ndim != 1:
            raise ValueError(f"sample_weight must be one number for each sample, not of shape {weights.shape}")
        check_consistent_length(x, weights)
        if (weights < 0).any() or not weights.any():
            raise ValueError("sample_weight must hold no number below zero, and not only zeros")
        counted = weights > 0
        return Samples(x[counted], targets[counted], weights[counted], weighted=True)

    def _learn_classes(self, labels: NDArray, classes: ArrayLike | None, first: bool) -> None:
        """Take the classes from the first call; later ones may bring no others."""
        kind = type_of_target(labels, input_name="y", raise_unknown=True)
        if kind not in ("binary", "multiclass", "multilabel-indicator"):
            raise ValueError(f"Unknown label type: {kind}. y must hold class labels, not numbers to be regressed")
        if first:
            known = labels if classes is None or kind == "multilabel-indicator" else column_or_1d(classes)
            self._binarizer = LabelBinarizer().fit(known)
            self.classes_ = self._binarizer.classes_
            # One output for two classes, and one for each of several labels: yes or no; else one of all classes.
            self._multilabel = kind == "multilabel-indicator" or len(self.classes_) <= 2
        elif classes is not None and not np.array_equal(np.unique(classes), self.classes_):
            raise ValueError(f"classes {classes!r} are not those of the first call, {self.classes_}")
        if kind != "multilabel-indicator" and (unknown := np.setdiff1d(labels, self.classes_)).size:
            raise ValueError(f"y has classes {unknown} that are not in classes {self.classes_}")

    def _outputs(self, X: ArrayLike) -> NDArray[np.floating]:  # noqa: N803
        """Probabilities ``[samples, outputs]``."""
        check_is_fitted(self)
        x = validate_data(self, X, accept_sparse="csr", dtype=(np.float64, np.float32), reset=False)
        logits = torch.from_numpy(self._training.logits(x))
        return (logits.sigmoid() if self._multilabel else logits.softmax(1)).numpy()


class _Convergence:
    """Whether the loss has not fallen by `tol` below its lowest for more than `patience` epochs, as in scikit-learn."""

    def __init__(self, tol: float, patience: int) -> None:
        self.tol, self.patience = tol, patience
        self.lowest, self.waited = float("inf"), 0

    def reached(self, loss: float) -> bool:
        """Take note of an epoch's loss."""
        self.waited = self.waited + 1 if loss > self.lowest - self.tol else 0
        self.lowest = min(self.lowest, loss)
        return self.waited > self.patience
