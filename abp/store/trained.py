"""Trained networks: what a run has learned, to be asked about pictures and to be changed in copies."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from numpy.typing import NDArray
from torch import Tensor

from abp.store.moments import recorded_masks
from abp.store.recorded import final_layers
from abp.store.records import Run
from abp.store.store import Store


@dataclass(frozen=True, eq=False)
class Trained:
    """One trained network. Its tensors are shared: a changed copy has tensors of its own (``dataclasses.replace``).

    Attributes
    ----------
    run, title
        Number and name of the run that trained it.
    dataset, criterion
        Of the run's settings: keys of `DATASETS` and `CRITERIA`.
    sizes
        Inputs, hidden neurons of each layer, classes.
    weights, biases
        Of every layer, the output layer last: ``[out, in]``, ``[out]``.
    masks
        What was kept, bool ``[out, in]`` per hidden layer.
    """

    run: int
    title: str
    dataset: str
    criterion: str
    sizes: tuple[int, ...]
    weights: tuple[Tensor, ...]
    biases: tuple[Tensor, ...]
    masks: tuple[Tensor, ...]


def trained(store: Store, run: Run) -> Trained | None:
    """The final network of an ended run; None if its final weights are not recorded."""
    layers = None if run.active else final_layers(store, run)
    if layers is None:
        return None
    settings = run.experiment
    return Trained(
        run=run.id,
        title=run.name,
        dataset=settings.dataset,
        criterion=settings.criterion,
        sizes=tuple(settings.sizes),
        weights=tuple(layers[0]),
        biases=tuple(layers[1]),
        masks=tuple(recorded_masks(store, run, run.prunings)),
    )


def activations(network: Trained, picture: NDArray) -> list[NDArray]:
    """How a network answers to one picture.

    Parameters
    ----------
    picture
        Brightness 0 to 1, of as many pixels as the network has inputs; any shape.

    Returns
    -------
    list of ndarray
        Outputs of each hidden layer, float32 ``[neurons]``, and at the end the probability of each class,
        ``[classes]``.

    Raises
    ------
    ValueError
        If the picture has another number of pixels.
    """
    if picture.size != network.sizes[0]:
        raise ValueError(f"the picture has {picture.size} pixels, but this network needs {network.sizes[0]}")
    output = torch.as_tensor(picture, dtype=torch.float32).flatten()
    found = []
    for weight, bias in zip(network.weights[:-1], network.biases[:-1], strict=True):
        output = torch.mv(weight, output).add_(bias).relu_()
        found.append(output.numpy())
    scores = torch.mv(network.weights[-1], output).add_(network.biases[-1])
    return [*found, torch.softmax(scores, dim=0).numpy()]
