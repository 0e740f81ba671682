"""The parameters of the classifier: which values can be used."""

from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any

from abp.pruning.criteria import CRITERIA
from abp.training.experiment import SCOPES


def check_parameters(classifier: Any) -> None:
    """Check every parameter, when a classifier is fitted, as scikit-learn wants it.

    Raises
    ------
    ValueError
        If one cannot be used; the message names it, the value and what would do.
    """
    sizes = layer_sizes(classifier.hidden_layer_sizes)
    valid_sizes = bool(sizes) and all(_whole(size, 1) for size in sizes)
    _require("hidden_layer_sizes", valid_sizes, "positive integers", classifier.hidden_layer_sizes)
    for name, allowed in (("criterion", CRITERIA), ("scope", SCOPES), ("solver", ("adam", "sgd"))):
        value = getattr(classifier, name)
        _require(name, isinstance(value, str) and value in allowed, f"one of {', '.join(allowed)}", value)
    batch_size = classifier.batch_size
    _require("batch_size", batch_size == "auto" or _whole(batch_size, 1), '"auto" or a positive integer', batch_size)
    for name, lowest in (("prunings", 0), ("max_iter", 1), ("n_iter_no_change", 1)):
        value = getattr(classifier, name)
        _require(name, _whole(value, lowest), f"an integer of at least {lowest}", value)
    amount, momentum, rate = classifier.amount, classifier.momentum, classifier.learning_rate_init
    _require("amount", _number(amount) and 0 <= amount <= 1, "between 0 and 1", amount)
    _require("momentum", _number(momentum) and 0 <= momentum < 1, "from 0 to below 1", momentum)
    _require("learning_rate_init", _number(rate) and rate > 0, "above 0", rate)
    _require("tol", _number(classifier.tol), "a number", classifier.tol)


def layer_sizes(hidden_layer_sizes: Any) -> list[Any]:
    """Neurons of each hidden layer; a single number is one layer."""
    return list(hidden_layer_sizes) if isinstance(hidden_layer_sizes, Iterable) else [hidden_layer_sizes]


def _whole(value: Any, lowest: int) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= lowest


def _number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _require(name: str, fulfilled: bool, what: str, value: Any) -> None:
    if not fulfilled:
        raise ValueError(f"{name} must be {what}, not {value!r}")
