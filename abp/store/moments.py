"""Moments: a run's weight matrices as they were at its start, around every pruning, and at its end."""

from collections.abc import Sequence
from dataclasses import dataclass

from safetensors.torch import load
from torch import Tensor

from abp.analysis.spectra import Spectrum, singular_values
from abp.network.masks import full_masks, unpack
from abp.store.records import Run
from abp.store.store import Store


@dataclass(frozen=True)
class Moment:
    """One moment of a run.

    Attributes
    ----------
    name
        ``"start"``, ``"before 1"``, ``"after 1"``, ..., ``"end"``.
    epoch
        The epoch in which it falls.
    spectra
        Singular values of every hidden layer, largest first.
    masks
        What was kept, bool ``[out, in]`` per hidden layer.
    """

    name: str
    epoch: int
    spectra: list[Spectrum]
    masks: list[Tensor]


def moments(store: Store, run: Run) -> list[Moment]:
    """All moments that the store has of a run, in order; none while it waits for its first worker."""
    sizes = run.experiment.sizes
    masks = recorded_masks(store, run, 0)
    found = []
    initial = store.weights(run.id, "initial")
    if initial is not None:
        found.append(Moment("start", 0, _spectra(initial, len(masks)), masks))
    prunings = store.prunings(run.id)
    recorded = store.spectra(run.id, sizes)
    for number, epoch, (before, after) in zip(prunings["number"], prunings["epoch"], recorded, strict=False):
        found.append(Moment(f"before {number}", int(epoch), before, masks))
        masks = recorded_masks(store, run, int(number))
        found.append(Moment(f"after {number}", int(epoch), after, masks))
    final = store.weights(run.id, "final")
    if final is not None:
        found.append(Moment("end", run.epoch, _spectra(final, len(masks)), masks))
    return found


def recorded_masks(store: Store, run: Run, number: int) -> list[Tensor]:
    """Masks of a run after its pruning `number`, or at its start (0), bool ``[out, in]`` per hidden layer."""
    packed = store.masks(run.id, number)
    return unpack(packed, run.experiment.sizes) if packed else full_masks(run.experiment.sizes)


def hidden_shapes(sizes: Sequence[int]) -> list[tuple[int, int]]:
    """Shapes ``(neurons, inputs)`` of the hidden layers of a network of these sizes.

    >>> hidden_shapes([784, 300, 10])
    [(300, 784)]
    """
    return [(neurons, inputs) for inputs, neurons in zip(sizes[:-2], sizes[1:-1], strict=True)]


def _spectra(weights: bytes, layers: int) -> list[Spectrum]:
    tensors = load(weights)
    return [singular_values(tensors[f"hidden.{index}.weight"]) for index in range(layers)]
