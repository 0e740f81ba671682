from __future__ import annotations

import hashlib
import json
import zlib

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load, save

from abp import Experiment, Trainer, load_dataset
from abp.network.masks import pack
from abp.pruning.criteria import CRITERIA
from abp.training.checkpoint import CheckpointDamaged, restore_checkpoint, save_checkpoint
from abp.training.history import Epoch, Pruning

REMOVING = [name for name, entry in CRITERIA.items() if entry.scores]
DIGITS = load_dataset("digits")
CHUNKS = 12  # two in each of six epochs
PRUNED = {3: ("activation-neuron", 0.6), 6: ("magnitude", 0.2)}  # after these chunks: in mid-epoch, at an epoch's end
OPTIMISERS = {
    "sgd": {"learning_rate": 0.1},
    "momentum": {"learning_rate": 0.02, "momentum": 0.9},
    "adam": {"learning_rate": 0.003, "optimiser": "adam"},
}


def small(**settings) -> Trainer:
    few = {"hidden": (20, 10), "criterion": "none", "epochs": 6, "learning_rate": 0.1, "stop_accuracy": 1.0}
    return Trainer(Experiment(**(few | settings)), DIGITS)


def go_on(trainer: Trainer, chunks: range, prunings: dict[int, tuple[str, float]]) -> list[Epoch | Pruning]:
    """Train so many chunks, with these prunings by hand after some; what was told on the way."""
    told: list[Epoch | Pruning] = []
    for chunk in chunks:
        if trainer.train_batches():
            told.append(trainer.finish_epoch())
        if chunk in prunings:
            told.append(trainer.prune(*prunings[chunk]))
    return told


def finish(trainer: Trainer) -> list[Epoch | Pruning]:
    return list(trainer.run())


def state(trainer: Trainer) -> str:
    """A digest of all that a checkpoint must bring back."""
    digest = hashlib.sha256(pack(trainer.masks))
    optimiser = trainer.state().optimiser()
    remembered = [optimiser[key][name] for key in sorted(optimiser) for name in sorted(optimiser[key])]
    activity = [*trainer.activity.counts, *trainer.activity.epoch_counts]
    for tensor in [*trainer.network.tensors().values(), *activity, *remembered]:
        digest.update(tensor.contiguous().numpy().tobytes())
    numbers = (
        trainer.epoch, trainer.batch, trainer.prunings, trainer.stopped_by, trainer.running, trainer.activity.samples,
        trainer.activity.epoch_samples, trainer.schedule.done, trainer.schedule.fine_tuned,
        trainer.schedule.early_stopping,
    )  # fmt: skip
    digest.update(repr(numbers).encode())
    return digest.hexdigest()


@pytest.mark.parametrize("pruned", [{}, PRUNED], ids=["dense", "pruned"])
@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_a_trainer_restored_at_any_chunk_goes_on_with_the_same_bits(optimiser, pruned):
    settings = OPTIMISERS[optimiser]
    undisturbed = small(**settings)
    story = go_on(undisturbed, range(CHUNKS), pruned)
    assert bool(pruned) == any(not mask.any(dim=1).all() for mask in undisturbed.masks)  # there are dead neurons

    for stop in range(CHUNKS):
        first = small(**settings)
        told = go_on(first, range(stop), pruned)
        checkpoint = save_checkpoint(first)
        second = small(**settings)
        restore_checkpoint(second, checkpoint)
        assert state(second) == state(first)
        assert save_checkpoint(second) == checkpoint
        told += go_on(second, range(stop, CHUNKS), pruned)
        assert told == story
        assert state(second) == state(undisturbed)


@pytest.mark.parametrize("more", [{}, {"scope": "per-layer"}, {"schedule": "polynomial"}], ids=str)
@pytest.mark.parametrize("criterion", REMOVING)
def test_what_the_schedule_still_has_to_do_survives_a_restart(criterion, more):
    settings = {"criterion": criterion, "amount": 0.6, "prunings": 3, "epochs": 90, "stop_accuracy": 0.95, **more}
    undisturbed = small(**settings)
    story = finish(undisturbed)
    assert sum(isinstance(record, Pruning) for record in story) == undisturbed.experiment.scheduled_prunings

    trainer, told = small(**settings), []
    while trainer.stopped_by is None:  # a restart after every record
        told.append(next(trainer.run()))
        if trainer.due:
            told.append(trainer.prune_due())
        checkpoint = save_checkpoint(trainer)
        trainer = small(**settings)
        restore_checkpoint(trainer, checkpoint)
    assert told == story
    assert state(trainer) == state(undisturbed)


@pytest.mark.parametrize("criterion", REMOVING)
def test_a_pruning_by_hand_finds_the_same_in_a_restored_trainer(criterion):
    prunings = {
        0: ("activation-neuron", 0.3),
        3: (criterion, 0.3),
        5: (criterion, 0.1),
    }  # the first leaves dead neurons
    undisturbed, first, second = small(), small(), small()
    story = go_on(undisturbed, range(7), prunings)
    told = go_on(first, range(3), prunings)
    restore_checkpoint(second, save_checkpoint(first))
    assert told + go_on(second, range(3, 7), prunings) == story
    assert state(second) == state(undisturbed)


def test_saving_a_checkpoint_changes_nothing():
    watched, alone = (small(**OPTIMISERS["adam"]) for _ in range(2))
    for trainer in (watched, alone):
        go_on(trainer, range(3), PRUNED)
    for _ in range(3):
        save_checkpoint(watched)
    assert state(watched) == state(alone)


def test_a_checkpoint_does_not_change_with_the_trainer_it_was_taken_of():
    trainer = small()
    trainer.train_batches()
    checkpoint, then = save_checkpoint(trainer), state(trainer)
    go_on(trainer, range(4), PRUNED)
    again = small()
    restore_checkpoint(again, checkpoint)
    assert state(again) == then


def test_a_checkpoint_from_before_there_was_a_setting_still_serves(monkeypatch):
    trainer = small()
    trainer.train_batches()
    settings = json.loads(trainer.experiment.to_json())
    del settings["scope"]
    monkeypatch.setattr(Experiment, "to_json", lambda self: json.dumps(settings))
    checkpoint = save_checkpoint(trainer)
    monkeypatch.undo()
    again = small()
    restore_checkpoint(again, checkpoint)
    assert state(again) == state(trainer)
    require_refused(checkpoint, small(scope="per-layer"))


# Damage


def a_checkpoint() -> bytes:
    trainer = small(**OPTIMISERS["momentum"])
    go_on(trainer, range(4), PRUNED)
    return save_checkpoint(trainer)


WHOLE = a_checkpoint()


def require_refused(checkpoint: bytes, trainer: Trainer) -> None:
    before = state(trainer)
    with pytest.raises(CheckpointDamaged, match="checkpoint"):
        restore_checkpoint(trainer, checkpoint)
    assert state(trainer) == before


@given(length=st.integers(0, len(WHOLE) - 1))
def test_a_checkpoint_cut_short_is_refused(length):
    require_refused(WHOLE[:length], small(**OPTIMISERS["momentum"]))


@given(noise=st.binary(max_size=200))
def test_bytes_that_are_no_checkpoint_are_refused(noise):
    require_refused(noise, small())


@given(place=st.integers(0, len(WHOLE) - 1), change=st.integers(1, 255))
def test_a_checkpoint_with_one_wrong_byte_is_refused(place, change):
    damaged = bytearray(WHOLE)
    damaged[place] ^= change
    require_refused(bytes(damaged), small(**OPTIMISERS["momentum"]))


def test_weights_alone_are_no_checkpoint():
    weights = save(small().network.tensors())
    require_refused(weights, small())
    require_refused(zlib.crc32(weights).to_bytes(4, "little") + weights, small())


@pytest.mark.parametrize(
    "other",
    [{"hidden": (20, 12)}, {"hidden": (20,)}, {"hidden": (20, 10, 10)}, {"seed": 1}, OPTIMISERS["adam"]],
    ids=str,
)
def test_a_checkpoint_of_another_experiment_is_refused(other):
    trainer = small(**other)
    trainer.train_batches()
    require_refused(save_checkpoint(trainer), small())


# Incomplete checkpoints


def without(checkpoint: bytes, name: str) -> bytes:
    """The checkpoint with a right checksum, but without one of its tensors."""
    tensors = load(checkpoint[4:])
    del tensors[name]
    return checksummed(save(tensors))


def checksummed(saved: bytes) -> bytes:
    return zlib.crc32(saved).to_bytes(4, "little") + saved


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_a_checkpoint_that_lacks_any_tensor_is_refused_and_changes_nothing(optimiser):
    trainer = small(**OPTIMISERS[optimiser])
    go_on(trainer, range(4), PRUNED)
    checkpoint, fresh = save_checkpoint(trainer), small(**OPTIMISERS[optimiser])
    names = load(checkpoint[4:]).keys()
    kinds = {name.rsplit(".", 1)[-1] if name.startswith("optimiser") else name.split(".")[0] for name in names}
    assert {"hidden", "output", "mask", "count", "epoch_count", "state"} <= kinds
    assert ("exp_avg" in kinds, "momentum_buffer" in kinds) == (optimiser == "adam", optimiser == "momentum")
    for name in names:
        require_refused(without(checkpoint, name), fresh)


@pytest.mark.parametrize("name", ["mask.0", "count.1", "epoch_count.0", "output.bias", "optimiser.1.momentum_buffer"])
def test_a_checkpoint_with_a_tensor_of_another_shape_is_refused_and_named(name):
    tensors = load(WHOLE[4:])
    tensors[name] = tensors[name][1:].contiguous()
    checkpoint, trainer = checksummed(save(tensors)), small(**OPTIMISERS["momentum"])
    require_refused(checkpoint, trainer)
    with pytest.raises(CheckpointDamaged, match=f"incomplete.*{name}"):
        restore_checkpoint(trainer, checkpoint)


def test_a_checkpoint_that_does_not_say_where_it_stood_is_refused():
    tensors = load(WHOLE[4:])
    values = json.loads(bytes(tensors["state"].tolist()))
    for name in values.keys() - {"anew", "fine_tuned"}:  # which older programs did not know
        fewer = json.dumps({key: value for key, value in values.items() if key != name}).encode()
        saved = save(tensors | {"state": torch.frombuffer(bytearray(fewer), dtype=torch.uint8)})
        require_refused(checksummed(saved), small(**OPTIMISERS["momentum"]))


def test_a_state_is_a_copy_and_brings_back_what_was():
    trainer = small(**OPTIMISERS["adam"])
    go_on(trainer, range(3), PRUNED)
    then, saved = state(trainer), trainer.state()
    go_on(trainer, range(4, 7), PRUNED)
    assert state(trainer) != then
    trainer.load_state(saved)
    assert state(trainer) == then
