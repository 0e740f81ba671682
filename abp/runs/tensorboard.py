"""TensorBoard: what was recorded of a run as event files."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from abp.analysis.spectra import summarise
from abp.errors import AbpError
from abp.store.records import Run, unpack_counts
from abp.store.snapshots import spectral_snapshots
from abp.store.store import Store

_CELL = 8  # pixels of a neuron's side


class TensorBoardMissing(AbpError, ImportError):
    """TensorBoard, an optional dependency, is not installed."""


def write_events(store: Store, run: Run, folder: Path) -> None:
    """Write event files of a run's curves, spectra and activation frequencies into a folder.

    Steps are epochs. There are scalars for each epoch (loss and accuracy on each split, sparsity) and, for each hidden
    layer at its start, around every pruning and at its end, ranks and norms; a histogram of singular values at the
    same moments; and for each epoch an image of each hidden layer: a cell a neuron, row after row, black for one that
    no picture activated and white for one that all did.

    Raises
    ------
    TensorBoardMissing
        If TensorBoard is not installed.
    OSError
        If the folder cannot be written to.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise TensorBoardMissing(
            'event files need TensorBoard, which is not installed: pip install "abp-lab[tensorboard]"'
        ) from None
    with SummaryWriter(str(folder)) as writer:
        _write_curves(store, run, writer)
        _write_spectra(store, run, writer)
        _write_frequencies(store, run, writer)


def _write_curves(store: Store, run: Run, writer) -> None:  # type: ignore[no-untyped-def]
    for row in store.histories.epochs(run.id).itertuples():
        for measure in ("loss", "accuracy"):
            for split in ("train", "valid", "test"):
                writer.add_scalar(f"{measure}/{split}", getattr(row, f"{split}_{measure}"), row.epoch)
        writer.add_scalar("sparsity", row.sparsity, row.epoch)


def _write_spectra(store: Store, run: Run, writer) -> None:  # type: ignore[no-untyped-def]
    """Of two moments of one epoch, those before and after a pruning, TensorBoard shows both, in this order."""
    sizes = run.experiment.sizes
    for found in spectral_snapshots(store, run):
        for layer, values in enumerate(found.spectra):
            summary = summarise(values, (sizes[layer + 1], sizes[layer]))
            name = f"hidden.{layer}"
            writer.add_histogram(f"singular values/{name}", values, found.moment.epoch)
            for measure in ("rank", "stable_rank", "effective_rank", "nuclear_norm", "spectral_norm"):
                value = getattr(summary, measure)
                writer.add_scalar(f"{measure.replace('_', ' ')}/{name}", value, found.moment.epoch)


def _write_frequencies(store: Store, run: Run, writer) -> None:  # type: ignore[no-untyped-def]
    for epoch, samples, packed in store.histories.epoch_counts(run.id):
        for layer, counts in enumerate(unpack_counts(packed, run.experiment.hidden)):
            image = frequency_image(counts / max(samples, 1))
            writer.add_image(f"activation frequency/hidden.{layer}", image, epoch, dataformats="HW")


def frequency_image(frequencies: NDArray) -> NDArray[np.uint8]:
    """Frequencies ``[neurons]`` of 0 to 1 as a grey picture about as high as wide, a square of pixels each.

    >>> frequency_image(np.array([0.0, 1.0, 0.5]))[::8, ::8].tolist()
    [[0, 255], [128, 0]]
    """
    across = int(np.ceil(np.sqrt(len(frequencies))))
    cells = np.zeros(-(-len(frequencies) // across) * across)
    cells[: len(frequencies)] = frequencies
    grey = np.rint(255 * cells).astype(np.uint8).reshape(-1, across)
    return np.kron(grey, np.ones((_CELL, _CELL), dtype=np.uint8))
