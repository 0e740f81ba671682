"""``abp export``: a run's network as safetensors or ONNX, whole or without its dead neurons; its history as events."""

import argparse
import sys
from pathlib import Path

from safetensors import SafetensorError, deserialize

from abp.cli.output import complain, require_file, write_file
from abp.store.records import Run
from abp.store.store import Store


def run(options: argparse.Namespace) -> int:
    """Write the files that are asked for; the exit status."""
    names = {"--weights": options.weights, "--onnx": options.onnx}
    named = {option: name for option, name in names.items() if name is not None}
    if not named and not options.compact and options.tensorboard is None:
        return complain("nothing to export: name a file with --weights or --onnx, or add --compact or --tensorboard")
    for option, name in named.items():
        require_file(option, name)
    store = Store()
    exported = store.runs.get(options.run)
    if options.tensorboard is not None:
        status = _events(store, exported, Path(options.tensorboard) / f"run-{exported.id}")
        if status or not (named or options.compact):
            return status
    weights = store.weights.get(exported.id, "final")
    if weights is None:
        return complain(f"run {exported.id} has no final weights: it is {exported.status}")
    try:
        deserialize(weights)
    except SafetensorError as error:
        return complain(f"the recorded weights of run {exported.id} are damaged ({error}); nothing was written")
    if not named:
        named = {option: f"run-{exported.id}-compact.{kind}" for option, kind in _KINDS.items()}
    if options.compact:
        contents = _compact(store, exported)
    else:
        # The recorded file is copied as it is, without the seconds that importing PyTorch takes.
        contents = {"--weights": weights, **(_onnx(store, exported) if "--onnx" in named else {})}
    for option, name in named.items():
        write_file(Path(name), contents[option])
        what = "compacted network" if options.compact else "weights"
        print(f"Wrote the {what} of run {exported.id} to {name}", file=sys.stderr)
    return 0


def _events(store: Store, run: Run, folder: Path) -> int:
    """Write event files into a new folder; the exit status."""
    from abp.runs.tensorboard import write_events

    if folder.exists():
        return complain(f"--tensorboard: there is a {folder} already; delete it or name another folder")
    if not run.epoch:
        return complain(f"run {run.id} has no history: it is {run.status}")
    write_events(store, run, folder)
    print(
        f"Wrote the history of run {run.id} to {folder}; see it with: tensorboard --logdir {folder.parent}",
        file=sys.stderr,
    )
    return 0


_KINDS = {"--weights": "safetensors", "--onnx": "onnx"}


def _compact(store: Store, run: Run) -> dict[str, bytes]:
    """Both files of the network without its dead neurons, by option."""
    from abp.runs.export import compact

    compacted = compact(store, run)
    assert compacted is not None  # there are final weights
    print(
        f"{'-'.join(map(str, run.experiment.sizes))} became {'-'.join(map(str, compacted.network.sizes))}; largest "
        f"difference of any output on the test pictures: {compacted.difference:.2g} (ONNX: "
        f"{compacted.onnx_difference:.2g})",
        file=sys.stderr,
    )
    return {"--weights": compacted.safetensors, "--onnx": compacted.onnx}


def _onnx(store: Store, run: Run) -> dict[str, bytes]:
    """The whole network as ONNX, by option."""
    from abp.runs.export import to_onnx
    from abp.store.snapshots import final_network

    network = final_network(store, run)
    assert network is not None  # there are final weights
    return {"--onnx": to_onnx(network)}
