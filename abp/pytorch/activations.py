"""Activations: which layers of a model are followed by an activation that can be zero, and where to look at them.

A layer counts as followed by ReLU, ReLU6 or Hardswish if between the two there is nothing but normalisation, max
pooling, dropout, flattening and identities. These three are above zero exactly where their input is, and max pooling
and dropout do not change that, so it is enough to look at the output of the layer, or of the normalisation after it.
That is a module in any case, and so has hooks, even where the activation is a function.

A layer whose output is first added to something else has no activation of its own, and is left out, as the last layer
of each residual block is by Li et al. 2017 ("Pruning Filters for Efficient ConvNets"). So is every layer from which the
model's output can be reached without passing another one: an output layer.
"""

from collections.abc import Iterator

import torch
from torch import fx, nn
from torch.nn import functional

Layer = nn.Linear | nn.Conv2d

_NORMALISATIONS = (
    nn.BatchNorm1d,
    nn.BatchNorm2d,
    nn.SyncBatchNorm,
    nn.InstanceNorm2d,
    nn.GroupNorm,
    nn.LayerNorm,
)
_ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.Hardswish)
_PASSING = (nn.MaxPool2d, nn.AdaptiveMaxPool2d, nn.Dropout, nn.Dropout2d, nn.Flatten, nn.Identity)

_ACTIVATION_FUNCTIONS = (
    torch.relu,
    torch.relu_,
    functional.relu,
    functional.relu_,
    functional.relu6,
    functional.hardswish,
)
_PASSING_FUNCTIONS = (
    functional.max_pool2d,
    functional.adaptive_max_pool2d,
    torch.max_pool2d,
    functional.dropout,
    functional.dropout2d,
    torch.flatten,
)
_ACTIVATION_METHODS = ("relu", "relu_")
_PASSING_METHODS = ("flatten", "view", "reshape", "contiguous")


class TracingFailed(ValueError):
    """`torch.fx` cannot follow the model's forward pass; the caller has to name its activations."""


def layers(model: nn.Module) -> dict[str, Layer]:
    """Every `torch.nn.Linear` and `torch.nn.Conv2d` of a model by its name, in the order of `named_modules`.

    >>> list(layers(nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4, 2))))
    ['0', '3']
    """
    return {name: module for name, module in model.named_modules() if isinstance(module, Layer)}


def followed_by_activation(model: nn.Module) -> dict[str, str]:
    """Name of each layer that an activation follows -> name of the module whose output is above zero where it is.

    Raises
    ------
    TracingFailed
        If `torch.fx` cannot trace the model.

    Examples
    --------
    >>> followed_by_activation(nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2)))
    {'0': '1'}
    """
    graph = _trace(model)
    modules = dict(model.named_modules())
    calls: dict[str, list[str | None]] = {}
    for node in graph.nodes:
        if isinstance(_module(node, modules), Layer):
            calls.setdefault(str(node.target), []).append(_source(node, modules))
    used = [str(node.target) for node in graph.nodes if node.op == "call_module"]
    # A layer that is called in several places counts if the same holds in all of them, and its source is called there
    # and nowhere else.
    return {
        layer: sources[0]
        for layer, sources in calls.items()
        if sources[0] and len(set(sources)) == 1 and used.count(sources[0]) == len(sources)
    }


class _Tracer(fx.Tracer):
    """Takes people's own subclasses of layers, normalisations and activations as a whole, as it does PyTorch's."""

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        return isinstance(module, (Layer, *_NORMALISATIONS, *_ACTIVATIONS)) or super().is_leaf_module(module, name)


def output_layers(model: nn.Module) -> set[str]:
    """Names of the layers whose values reach the model's output without passing another layer.

    Raises what `followed_by_activation` raises.

    >>> output_layers(nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2), nn.ReLU()))
    {'2'}
    """
    graph, modules = _trace(model), dict(model.named_modules())
    calls = [node for node in graph.nodes if isinstance(_module(node, modules), Layer)]
    return {str(node.target) for node in calls if _reaches_output(node, modules)}


def _trace(model: nn.Module) -> fx.Graph:
    try:
        return _Tracer().trace(model)
    except Exception as error:  # whatever a forward pass raises when it is given proxies instead of tensors
        raise TracingFailed(
            f"torch.fx cannot trace {type(model).__name__} ({type(error).__name__}: {error}); name the layers that an "
            "activation follows, each with the module whose output is above zero where it is active, such as "
            'ActivityCounter(model, activations={"conv1": "bn1", "fc1": "fc1"})'
        ) from error


def _source(layer: fx.Node, modules: dict[str, nn.Module]) -> str | None:
    """Name of the module to look at for a hidden layer that an activation follows, else None."""
    source, node = str(layer.target), layer
    while True:
        users = _users(node)
        if len(users) != 1:
            return None
        node = users[0]
        if _is(node, modules, _ACTIVATIONS, _ACTIVATION_FUNCTIONS, _ACTIVATION_METHODS):
            return None if _reaches_output(node, modules) else source
        if isinstance(_module(node, modules), _NORMALISATIONS):
            source = str(node.target)
        elif not _is(node, modules, _PASSING, _PASSING_FUNCTIONS, _PASSING_METHODS):
            return None


def _reaches_output(start: fx.Node, modules: dict[str, nn.Module]) -> bool:
    """Whether the graph's output can be reached from a node without passing another layer."""
    return any(node.op == "output" for node in _downstream(start, modules))


def _downstream(start: fx.Node, modules: dict[str, nn.Module]) -> Iterator[fx.Node]:
    seen, ahead = {start}, [start]
    while ahead:
        for user in _users(ahead.pop()):
            if user not in seen and not isinstance(_module(user, modules), Layer):
                seen.add(user)
                ahead.append(user)
                yield user


def _users(node: fx.Node) -> list[fx.Node]:
    """Nodes that use a node's values; some only ask for its shape, such as ``x.size(0)``."""
    return [user for user in node.users if user.target not in ("size", "dim") and user.target is not getattr]


def _module(node: fx.Node, modules: dict[str, nn.Module]) -> nn.Module | None:
    return modules[str(node.target)] if node.op == "call_module" else None


def _is(node: fx.Node, modules: dict[str, nn.Module], kinds: tuple, functions: tuple, methods: tuple) -> bool:
    """Whether a node calls a module of one of these kinds, one of these functions, or one of these methods."""
    if node.op == "call_function":
        return node.target in functions
    if node.op == "call_method":
        return node.target in methods
    return isinstance(_module(node, modules), kinds)
