"""Recorded networks: what the store has of a run's weights, moment by moment."""

from dataclasses import dataclass

from safetensors.torch import load
from torch import Tensor

from abp.network.live import remove_weights
from abp.network.mlp import Network
from abp.store.moments import recorded_masks
from abp.store.records import Run
from abp.store.store import Store


@dataclass(frozen=True)
class Instant:
    """A moment of a run at which its masks, and perhaps its weights, are known.

    Attributes
    ----------
    name
        ``"start"``, ``"before 1"``, ``"after 1"``, ..., ``"end"``, as in `abp.store.moments.Moment`.
    epoch
        The epoch in which it falls.
    source
        Under which name the store has the weights, if it has them. Those right after a pruning are those before it
        under its masks.
    prunings
        Prunings made until then.
    """

    name: str
    epoch: int
    source: str
    prunings: int


@dataclass(frozen=True)
class Recorded:
    """A network as it was at one moment.

    Attributes
    ----------
    masks
        What was kept, bool ``[out, in]`` per hidden layer.
    weights, biases
        Of every layer, the output layer last: ``[out, in]``, ``[out]``; None where they were not recorded.
    """

    instant: Instant
    masks: list[Tensor]
    weights: list[Tensor] | None
    biases: list[Tensor] | None


def instants(store: Store, run: Run) -> list[Instant]:
    """The moments of a run until now, in order; none while it has not begun."""
    if store.weights(run.id, "initial") is None:
        return []
    found = [Instant("start", 0, "initial", 0)]
    table = store.prunings(run.id)
    for number, epoch in zip(table["number"].astype(int), table["epoch"].astype(int), strict=True):
        found.append(Instant(f"before {number}", int(epoch), f"before-{number}", int(number) - 1))
        found.append(Instant(f"after {number}", int(epoch), f"before-{number}", int(number)))
    if not run.active and store.weights(run.id, "final") is not None:
        found.append(Instant("end", run.epoch, "final", len(table)))
    return found


def recorded(store: Store, run: Run, instant: Instant) -> Recorded:
    """The network of a run at one of its `instants`."""
    sizes = run.experiment.sizes
    masks = recorded_masks(store, run, instant.prunings)
    tensors = store.weights(run.id, instant.source)
    if tensors is None:
        return Recorded(instant, masks, None, None)
    network = Network(sizes)
    network.load_tensors(load(tensors))
    remove_weights(network, masks)  # changes something right after a pruning only
    return Recorded(instant, masks, network.weights, network.biases)


def final_network(store: Store, run: Run) -> Network | None:
    """The network that an ended run left; None if its final weights are not recorded."""
    recorded = store.weights(run.id, "final")
    if recorded is None:
        return None
    network = Network(run.experiment.sizes)
    network.load_tensors(load(recorded))
    return network


def final_layers(store: Store, run: Run) -> tuple[list[Tensor], list[Tensor]] | None:
    """Final weights ``[out, in]`` and biases ``[out]`` of every layer, the output layer last; None if not recorded."""
    network = final_network(store, run)
    return None if network is None else (network.weights, network.biases)
