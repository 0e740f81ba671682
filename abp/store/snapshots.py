"""Snapshots: a run's network as it was at its start, around every pruning, and at its end."""

from dataclasses import dataclass

from safetensors.torch import load
from torch import Tensor

from abp.analysis.spectra import SingularValues, singular_values
from abp.network.live import remove_weights
from abp.network.masks import full_masks, unpack
from abp.network.mlp import Network
from abp.store.records import Run
from abp.store.store import Store


@dataclass(frozen=True)
class Moment:
    """A moment of a run at which its masks, and perhaps its weights, are known.

    Attributes
    ----------
    name
        ``"start"``, ``"before 1"``, ``"after 1"``, ..., ``"end"``.
    epoch
        The epoch in which it falls.
    source
        Under which name the store has the weights, if it has them. Those right after a pruning are those before it
        under its masks; those after one was taken back are those from before it.
    prunings
        Prunings made until then.
    """

    name: str
    epoch: int
    source: str
    prunings: int


@dataclass(frozen=True, eq=False)
class Snapshot:
    """What is recorded of a run's network at one moment.

    Attributes
    ----------
    masks
        What was kept, bool ``[out, in]`` per hidden layer.
    network
        None where its weights were not recorded, or not asked for.
    spectra
        Singular values of every hidden layer, largest first; empty where they were not asked for.
    """

    moment: Moment
    masks: tuple[Tensor, ...]
    network: Network | None = None
    spectra: tuple[SingularValues, ...] = ()


def moments(store: Store, run: Run) -> list[Moment]:
    """The moments of a run until now, in order; none while it has not begun."""
    if not store.weights.has(run.id, "initial"):
        return []
    found = [Moment("start", 0, "initial", 0)]
    table = store.histories.prunings(run.id)
    by_hand: list[int] = []  # prunings by hand that have not been taken back
    for row in table[["number", "epoch", "made_by"]].itertuples():
        number, epoch, source = int(row.number), int(row.epoch), f"before-{row.number}"
        found.append(Moment(f"before {number}", epoch, source, number - 1))
        if row.made_by == "hand":
            by_hand.append(number)
        elif row.made_by == "undo":
            source = f"before-{by_hand.pop()}"
        found.append(Moment(f"after {number}", epoch, source, number))
    if not run.active and store.weights.has(run.id, "final"):
        found.append(Moment("end", run.epoch, "final", len(table)))
    return found


def snapshot(store: Store, run: Run, moment: Moment) -> Snapshot:
    """Masks and, if they are recorded, weights of a run at one of its `moments`."""
    masks = recorded_masks(store, run, moment.prunings)
    network = _recorded_network(store, run, moment.source)
    if network is not None:
        remove_weights(network, masks)  # changes something right after a pruning only
    return Snapshot(moment, tuple(masks), network)


def spectral_snapshots(store: Store, run: Run) -> list[Snapshot]:
    """Masks and singular values of a run at all of its `moments`, without the weights.

    Those around prunings are recorded; those of the start and the end are computed.
    """
    sizes = run.experiment.sizes
    around = dict(enumerate(store.histories.spectra(run.id, sizes), start=1))
    found: list[Snapshot] = []
    for moment in moments(store, run):
        kind, _, number = moment.name.partition(" ")
        if not number:
            network = _recorded_network(store, run, moment.source)
            spectra = [] if network is None else [singular_values(weight) for weight in network.weights[:-1]]
        elif int(number) in around:
            spectra = around[int(number)][kind == "after"]
        else:  # a pruning that came between the two looks
            break
        same = found and found[-1].moment.prunings == moment.prunings
        masks = found[-1].masks if same else tuple(recorded_masks(store, run, moment.prunings))
        found.append(Snapshot(moment, masks, spectra=tuple(spectra)))
    return found


def final_network(store: Store, run: Run) -> Network | None:
    """The network that an ended run left; None if its final weights are not recorded."""
    return _recorded_network(store, run, "final")


def recorded_masks(store: Store, run: Run, number: int) -> list[Tensor]:
    """Masks of a run after its pruning `number`, or at its start (0), bool ``[out, in]`` per hidden layer."""
    packed = store.histories.masks(run.id, number)
    return unpack(packed, run.experiment.sizes) if packed else full_masks(run.experiment.sizes)


def _recorded_network(store: Store, run: Run, source: str) -> Network | None:
    recorded = store.weights.get(run.id, source)
    return None if recorded is None else Network.from_tensors(run.experiment.sizes, load(recorded))
