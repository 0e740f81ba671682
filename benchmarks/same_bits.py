"""Whether two checkouts train to the same bits: ``python benchmarks/same_bits.py OTHER [CHECKOUT]``.

Short runs on the digits with every criterion, schedule, scope, optimiser and regulariser, and with prunings by hand,
by the public interface alone, so that it works with either checkout. Each trains in a process of its own.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_COMMON = {"dataset": "digits", "hidden": (40, 20), "amount": 0.7, "prunings": 3, "epochs": 12}
_COMMON |= {"start_accuracy": 0.3, "stop_accuracy": 0.93, "learning_rate": 0.05}
_CRITERIA = (
    "none", "activation", "activation-neuron", "magnitude", "random", "inverted-activation", "apoz",
    "shuffled-activation", "reinitialised-activation",
)  # fmt: skip
_NUCLEAR = {"nuclear": 0.01, "nuclear_from": 0.2, "nuclear_every": 10}


def cases() -> dict[str, dict[str, Any]]:
    """Settings of each run, by what it is about."""
    found: dict[str, dict[str, Any]] = {f"criterion {name}": {"criterion": name} for name in _CRITERIA}
    for schedule in ("at-once", "layer-by-layer", "polynomial"):
        for scope in ("global", "per-layer"):
            for criterion in ("activation", "activation-neuron"):
                settings = {"criterion": criterion, "schedule": schedule, "scope": scope}
                found[f"{schedule}, {scope}, {criterion}"] = settings
    for name, optimiser in {
        "momentum": {"momentum": 0.9, "learning_rate": 0.01},
        "adam": {"optimiser": "adam", "learning_rate": 0.003},
    }.items():
        for criterion in ("none", "activation", "activation-neuron", "reinitialised-activation"):
            found[f"{name}, {criterion}"] = {"criterion": criterion, **optimiser}
    for weights in ("plain", "index"):
        for step in ("proximal", "gradient"):
            for criterion in ("none", "activation-neuron"):
                settings = {"criterion": criterion, "nuclear_weights": weights, "nuclear_step": step, **_NUCLEAR}
                found[f"nuclear norm, {weights}, {step}, {criterion}"] = settings
    found["rank limits"] = {"criterion": "none", "ranks": (10, 5)}
    found["counts reset"] = {"criterion": "activation", "reset_counts": True}
    found["one hidden layer"] = {"criterion": "activation", "hidden": (30,)}
    found["other batches, two threads"] = {"criterion": "magnitude", "batch_size": 50, "threads": 2, "seed": 7}
    found["stalled"] = {"criterion": "activation", "start_accuracy": 0.93, "early_stopping": 1.0, "patience": 1}
    return found


def _train() -> dict[str, NDArray]:
    """What this checkout's runs come to: weights, biases, masks, counts and metrics, by name."""
    from abp import Experiment, Trainer, load_dataset

    data, results = load_dataset("digits"), {}
    for name, settings in cases().items():
        trainer = Trainer(Experiment(**{**_COMMON, **settings}), data)
        for _ in trainer.run():
            pass
        results |= _state(name, trainer)
    for criterion in _CRITERIA[1:]:
        trainer = Trainer(Experiment(**{**_COMMON, "criterion": "none"}), data)
        for amount in (0.3, 0.2, 0.2):
            trainer.train_epoch()
            trainer.prune(criterion, amount=amount)
        trainer.train_epoch()
        results |= _state(f"by hand, {criterion}", trainer)
    return results


def _state(name: str, trainer: Any) -> dict[str, NDArray]:
    found = {}
    for index, layer in enumerate(trainer.network.layers):
        found[f"weight {index}"] = layer.weight.detach().numpy().copy()
        found[f"bias {index}"] = layer.bias.detach().numpy().copy()
    for index, (mask, count) in enumerate(zip(trainer.masks, trainer.activity.counts, strict=True)):
        found[f"mask {index}"], found[f"count {index}"] = mask.numpy().copy(), count.numpy().copy()
    for split in ("train", "valid", "test"):
        metrics = trainer.evaluate(split)
        found[split] = np.array([metrics.loss, metrics.accuracy])
    return {f"{name}: {part}": values for part, values in found.items()}


def _trained(checkout: Path) -> dict[str, NDArray]:
    """What the runs of a checkout come to, in a process that has its `abp`."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "bits.npz"
        environment = os.environ | {"PYTHONPATH": str(checkout), "ABP_HOME": folder}
        subprocess.run([sys.executable, __file__, "--save", file], check=True, env=environment, cwd=checkout)
        with np.load(file) as saved:
            return dict(saved)


def differences(first: dict[str, NDArray], second: dict[str, NDArray]) -> list[str]:
    """Names of what is not the same to the last bit, or only in one of them."""
    return [
        name
        for name in sorted(first.keys() | second.keys())
        if name not in first
        or name not in second
        or first[name].dtype != second[name].dtype
        or first[name].tobytes() != second[name].tobytes()
    ]


def main(arguments: list[str]) -> int:
    """Compare two checkouts; 0 if all their bits are the same."""
    if arguments[0] == "--save":
        np.savez(arguments[1], **_train())  # type: ignore[arg-type]  # arrays by name
        return 0
    here = Path(__file__).parents[1]
    first, second = (_trained(Path(path).resolve()) for path in [*arguments, here][:2])
    different = differences(first, second)
    for name in different:
        print(f"different: {name}")
    runs = len({name.rsplit(": ", 1)[0] for name in first})
    print(f"{runs} runs, {len(first)} tensors and metrics, {len(different)} different")
    return int(bool(different))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
