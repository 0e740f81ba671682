"""Continuing runs: what a child starts from, that it keeps its mask, and what is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from safetensors.torch import load, save
from sklearn.decomposition import PCA

from abp.data.datasets import load_dataset
from abp.network.masks import live_weights, pack, sparsity, unpack
from abp.runs.continuation import ORIGINS, continue_run
from abp.runs.results_json import result
from abp.runs.session import session
from abp.runs.session.session import Progressed
from abp.runs.worker import execute
from abp.store.lineage import dense_twin
from abp.store.snapshots import spectral_snapshots
from abp.store.store import Store
from abp.training.experiment import Experiment, SettingError
from abp.training.trainer import Trainer
from tests.recordings import trained
from tests.rows import die

DIGITS = load_dataset("digits")
PARENT = Experiment(
    hidden=(20, 10), criterion="activation-neuron", amount=0.6, prunings=2, start_accuracy=0.3, stop_accuracy=0.6,
    epochs=12, learning_rate=0.1,
)  # fmt: skip
SIZES = PARENT.sizes
UNDER_THE_MASK = ("fine-tune", "rewind", "rewind-1", "rewind-2", "reinitialise")
MOMENTS = {"fine-tune": "final", "rewind": "initial", "rewind-1": "before-1", "rewind-2": "before-2"}


@pytest.fixture
def store(home) -> Store:
    return Store()


@pytest.fixture
def parent(store):
    """A pruned run that has ended, some of its neurons dead."""
    run = store.runs.get(trained(store, PARENT, name="The parent"))
    assert (run.status, run.prunings) == ("finished", 2)
    return run


def final_masks(store: Store, run) -> list[torch.Tensor]:
    return unpack(store.histories.masks(run.id, run.prunings), SIZES)


def start_of(store: Store, run: int) -> tuple[dict[str, torch.Tensor], list[torch.Tensor]]:
    tensors, masks = store.weights.start(run)
    return load(tensors), unpack(masks, SIZES)


def respects(tensors: dict[str, torch.Tensor], masks: list[torch.Tensor]) -> bool:
    """Whether all that was removed is zero: weights, and biases and outgoing weights of dead neurons."""
    outgoing = [*(tensors[f"hidden.{index}.weight"] for index in range(1, len(masks))), tensors["output.weight"]]
    return all(
        not tensors[f"hidden.{index}.weight"][~mask].any()
        and not tensors[f"hidden.{index}.bias"][~mask.any(1)].any()
        and not outgoing[index][:, ~mask.any(1)].any()
        for index, mask in enumerate(masks)
    )


# What a child starts from


@pytest.mark.parametrize("how", UNDER_THE_MASK)
def test_a_child_starts_under_its_parents_final_masks(how, store, parent):
    tensors, masks = start_of(store, continue_run(store, parent, how, epochs=1))
    assert pack(masks) == store.histories.masks(parent.id, parent.prunings)
    assert any((~mask.any(1)).any() for mask in masks)
    assert respects(tensors, masks)


@pytest.mark.parametrize("how", MOMENTS)
def test_every_weight_and_bias_that_survives_has_the_recorded_bits(how, store, parent):
    tensors, masks = start_of(store, continue_run(store, parent, how, epochs=1))
    recorded = load(store.weights.get(parent.id, MOMENTS[how]))
    sources: list[torch.Tensor] = [torch.ones(SIZES[0], dtype=torch.bool), *(mask.any(1) for mask in masks)]
    kept = {f"hidden.{index}.weight": mask for index, mask in enumerate(masks)}
    kept |= {f"hidden.{index}.bias": mask.any(1) for index, mask in enumerate(masks)}
    kept |= {"output.weight": sources[-1].expand(SIZES[-1], -1), "output.bias": torch.ones(SIZES[-1], dtype=torch.bool)}
    assert kept.keys() == recorded.keys() == tensors.keys()
    for name, places in kept.items():
        assert torch.equal(tensors[name][places], recorded[name][places]), name
        assert not tensors[name][~places].any(), name


def test_a_fine_tuned_child_starts_from_the_very_weights_its_parent_ended_with(store, parent):
    tensors, _ = store.weights.start(continue_run(store, parent, "fine-tune", epochs=1))
    final = load(store.weights.get(parent.id, "final"))
    assert all(torch.equal(tensor, final[name]) for name, tensor in load(tensors).items())


def test_new_random_weights_are_those_of_the_seed_under_the_mask(store, parent):
    number = continue_run(store, parent, "reinitialise", epochs=1, seed=7)
    assert store.runs.get(number).experiment.seed == 7
    tensors, masks = start_of(store, number)
    drawn = Trainer(dataclasses.replace(PARENT, seed=7), DIGITS).network.tensors()
    for index, mask in enumerate(masks):
        name = f"hidden.{index}.weight"
        assert torch.equal(tensors[name][mask], drawn[name][mask])
    assert store.runs.get(continue_run(store, parent, "reinitialise", epochs=1)).experiment.seed == PARENT.seed + 1


@pytest.mark.parametrize("method", ["pca", "svd"])
def test_a_reduced_child_is_what_scikit_learn_or_numpy_makes_of_the_parent_and_stays_of_that_rank(method, store):
    dense = trained(store, dataclasses.replace(PARENT, criterion="none"))
    number = continue_run(store, store.runs.get(dense), method, epochs=3, ranks=(6, 4))
    tensors, masks = start_of(store, number)
    assert sparsity(masks) == 0
    final = load(store.weights.get(dense, "final"))
    for index, rank in enumerate((6, 4)):
        matrix = final[f"hidden.{index}.weight"].double().numpy()
        if method == "pca":
            pca = PCA(n_components=rank, svd_solver="full")
            expected = pca.inverse_transform(pca.fit_transform(matrix.T)).T
        else:
            left, values, right = np.linalg.svd(matrix, full_matrices=False)
            expected = (left[:, :rank] * values[:rank]) @ right[:rank]
        np.testing.assert_allclose(tensors[f"hidden.{index}.weight"].numpy(), expected, atol=1e-5)
    untouched = [name for name in final if "output" in name or "bias" in name]
    assert all(torch.equal(tensors[name], final[name]) for name in untouched)

    limits = store.runs.get(number).experiment.ranks
    assert limits == tuple(np.linalg.matrix_rank(tensors[f"hidden.{index}.weight"].numpy()) for index in (0, 1))
    assert limits == ((7, 5) if method == "pca" else (6, 4))
    execute(store, number, "me")
    final = load(store.weights.get(number, "final"))
    ranks = [np.linalg.matrix_rank(final[f"hidden.{index}.weight"].numpy()) for index in (0, 1)]
    assert all(rank <= limit for rank, limit in zip(ranks, limits, strict=True))
    assert store.runs.get(number).status == "finished"


# How a child trains


@pytest.mark.parametrize("how", UNDER_THE_MASK)
@pytest.mark.parametrize("settings", [{}, {"momentum": 0.9}, {"optimiser": "adam", "learning_rate": 0.01}], ids=str)
def test_no_weight_under_a_zero_mask_ever_grows_back(how, settings, store):
    number = trained(store, dataclasses.replace(PARENT, **settings))
    child = continue_run(store, store.runs.get(number), how, epochs=4)
    tensors, masks = start_of(store, child)
    trainer = Trainer(store.runs.get(child).experiment, DIGITS, tensors=tensors, masks=masks)
    for record in trainer.run():
        assert respects(trainer.network.tensors(), masks)
        assert record.sparsity == sparsity(masks)
    assert trainer.epoch == 4


@pytest.mark.parametrize("how", UNDER_THE_MASK)
def test_a_child_trains_exactly_so_many_epochs_as_the_trainer_alone_does(how, store, parent):
    first, second = (continue_run(store, parent, how, epochs=5) for _ in range(2))
    for number in (first, second):
        execute(store, number, "me")
    tensors, masks = start_of(store, first)
    trainer = Trainer(store.runs.get(first).experiment, DIGITS, tensors=tensors, masks=masks)
    epochs = [record.valid.accuracy for record in trainer.run()]
    assert store.histories.epochs(first)["valid_accuracy"].tolist() == epochs and len(epochs) == 5
    assert store.weights.get(first, "final") == store.weights.get(second, "final") == save(trainer.network.tensors())
    assert store.histories.epochs(first)["sparsity"].tolist() == [parent.sparsity] * 5
    run = store.runs.get(first)
    assert (run.stopped_by, run.epoch, run.scheduled_left, run.prunings) == ("epochs", 5, 0, 0)
    assert (run.parent, run.sparsity) == (parent.id, parent.sparsity)


def test_a_perfect_training_accuracy_does_not_shorten_a_child(store):
    easy = dataclasses.replace(PARENT, criterion="none", hidden=(60, 40), epochs=40, stop_accuracy=1.0, patience=0)
    number = store.runs.add(easy)
    execute(store, number, "me")
    child = continue_run(store, store.runs.get(number), "fine-tune", epochs=30)
    execute(store, child, "me")
    assert store.histories.epochs(child)["train_accuracy"].max() == 1.0
    assert store.runs.get(child).epoch == 30


def test_a_child_of_a_deleted_parent_trains_and_resumes_with_the_same_bits(store, parent, monkeypatch):
    whole, broken = (continue_run(store, parent, "rewind", epochs=6) for _ in range(2))
    store.runs.delete(parent.id)
    execute(store, whole, "me")

    monkeypatch.setattr(session, "SAVE_EVERY", 0.0)

    def lose_worker(progress: Progressed) -> None:
        if progress.epoch == 3 and store.runs.get(broken).owner == "first":
            die(store, broken)

    execute(store, broken, "first", report=lose_worker)
    assert store.runs.get(broken).status == "interrupted" and store.runs.get(broken).sparsity > 0
    store.commands.add(broken, "resume")
    execute(store, broken, "second")
    assert store.runs.get(broken).status == "finished"
    assert store.weights.get(broken, "final") == store.weights.get(whole, "final")
    assert store.runs.get(broken).parent == parent.id


def test_a_child_interrupted_before_its_first_checkpoint_starts_from_the_parents_weights_again(store, parent):
    child = continue_run(store, parent, "fine-tune", epochs=2)
    store.leases.claim(child, "gone")
    store.histories.begin(child, "gone", b"whatever", sparsity=0.1)
    die(store, child)
    store.commands.add(child, "resume")
    execute(store, child, "me")
    assert store.weights.get(child, "initial") == store.weights.start(child)[0]
    assert store.runs.get(child).sparsity == parent.sparsity


def test_a_child_can_be_pruned_by_hand_beyond_its_mask_and_continued_again(store, parent):
    child = continue_run(store, parent, "fine-tune", epochs=2)
    store.commands.add(child, "prune", criterion="magnitude", amount=0.1)
    execute(store, child, "me")
    run = store.runs.get(child)
    assert run.prunings == 1 and run.sparsity == pytest.approx(parent.sparsity + 0.1, abs=0.01)
    start, end = unpack(store.histories.masks(child, 0), SIZES), unpack(store.histories.masks(child, 1), SIZES)
    assert all(not (after & ~before).any() for before, after in zip(start, end, strict=True))
    grandchild = continue_run(store, run, "rewind-1", epochs=1)
    tensors, masks = start_of(store, grandchild)
    assert pack(masks) == store.histories.masks(child, 1)
    assert respects(tensors, masks)
    assert store.runs.get(grandchild).parent == child


# What is reported of a child


def test_results_and_moments_of_a_child_know_its_masks(store, parent):
    child = continue_run(store, parent, "rewind", epochs=2)
    queued = store.runs.get(child)
    assert (queued.sparsity, queued.status) == (parent.sparsity, "queued")
    execute(store, child, "me")
    report, masks = result(store, store.runs.get(child)), final_masks(store, parent)
    assert (report["parent"], report["origin"]) == (parent.id, ORIGINS["rewind"])
    assert [layer["live_neurons"] for layer in report["layers"]] == [int(mask.any(1).sum()) for mask in masks]
    assert [layer["sparsity"] for layer in report["layers"]] == [sparsity([mask]) for mask in masks]
    assert report["sparsity"] == sparsity(masks)
    found = spectral_snapshots(store, store.runs.get(child))
    assert [snapshot.moment.name for snapshot in found] == ["start", "end"]
    assert all(pack(snapshot.masks) == pack(masks) for snapshot in found)
    for snapshot, tensors in zip(
        found, (store.weights.start(child)[0], store.weights.get(child, "final")), strict=True
    ):
        for index, values in enumerate(snapshot.spectra):
            expected = np.linalg.svd(load(tensors)[f"hidden.{index}.weight"].double().numpy(), compute_uv=False)
            np.testing.assert_allclose(values, expected, atol=1e-6)
    frame = store.frames.newest(child, PARENT.hidden)
    assert [layer.tolist() for layer in frame.live_weights] == [layer.tolist() for layer in live_weights(masks)]


def test_masks_at_the_start_are_those_of_continued_runs_only(store, parent):
    assert store.histories.masks(parent.id, 0) is None and store.weights.start(parent.id) is None
    child = continue_run(store, parent, "fine-tune", epochs=1)
    assert store.histories.masks(child, 0) == store.histories.masks(parent.id, 2)
    store.runs.delete(child)
    assert store.weights.start(child) is None


def test_a_continued_run_is_nobodys_dense_twin(store):
    dense = dataclasses.replace(PARENT, criterion="none", start_accuracy=0.0, epochs=3, stop_accuracy=1.0, patience=0)
    origin = trained(store, dense)
    child = continue_run(store, store.runs.get(origin), "fine-tune", epochs=3)
    execute(store, child, "me")
    assert store.runs.get(child).experiment == store.runs.get(origin).experiment
    pruned = store.runs.get(store.runs.add(dataclasses.replace(dense, criterion="magnitude")))
    assert dense_twin(store, pruned).id == origin
    store.runs.delete(origin)
    assert dense_twin(store, pruned) is None


def test_the_dense_twin_of_a_regularised_run_has_the_same_regulariser(store):
    settings = dataclasses.replace(PARENT, epochs=1)
    plain, regularised = (
        trained(store, dataclasses.replace(settings, criterion="none", start_accuracy=0.0, nuclear=strength))
        for strength in (0.0, 0.001)
    )
    pruned = store.runs.get(
        store.runs.add(dataclasses.replace(settings, nuclear=0.001, schedule="layer-by-layer", scope="per-layer"))
    )
    assert dense_twin(store, pruned).id == regularised
    assert dense_twin(store, store.runs.get(store.runs.add(settings))).id == plain


def test_a_run_held_to_low_ranks_is_no_dense_twin_but_has_one(store):
    dense = dataclasses.replace(PARENT, criterion="none", start_accuracy=0.0, epochs=1)
    limited = trained(store, dataclasses.replace(dense, ranks=(5, 5)))
    assert dense_twin(store, store.runs.get(limited)) is None
    whole = trained(store, dense)
    assert dense_twin(store, store.runs.get(limited)).id == whole


def test_a_childs_settings_are_its_parents_without_prunings(store, parent):
    child = store.runs.get(continue_run(store, parent, "fine-tune", epochs=9, learning_rate=0.03, seed=4, name="Mine"))
    expected = dataclasses.replace(
        PARENT, criterion="none", epochs=9, stop_accuracy=1.0, patience=0, learning_rate=0.03, seed=4
    )
    assert (child.experiment, child.name, child.lane) == (expected, "Mine", "hand")


@pytest.mark.parametrize("how", ["fine-tune", "rewind", "rewind-2", "reinitialise", "svd"])
def test_a_child_is_named_after_its_parent_and_what_was_made_of_it(how, store, parent):
    store.runs.rename(parent.id, "n" * 200)
    ranks = (3, 3) if how == "svd" else None
    child = store.runs.get(continue_run(store, store.runs.get(parent.id), how, epochs=1, ranks=ranks))
    assert child.origin == {"rewind-2": "rewound to before pruning 2"}.get(how, ORIGINS.get(how))
    assert child.name.startswith("nnn") and child.name.endswith(f" · {child.origin}") and len(child.name) <= 200


# What is refused


@pytest.mark.parametrize(
    ("how", "details", "words"),
    [
        ("polish", {}, "'polish'"),
        ("", {}, "fine-tune, rewind"),
        ("rewind-K", {}, "'rewind-K'"),
        ("rewind-0", {}, "'rewind-0'"),
        ("rewind--1", {}, "'rewind--1'"),
        ("rewind-3", {}, "before pruning 3: it made 2 prunings"),
        ("rewind-999999999999", {}, "how must be"),
        ("reinitialise", {"seed": 0}, "seed must not be 0"),
        ("fine-tune", {"seed": -1}, "seed must be between"),
        ("fine-tune", {"epochs": 0}, "epochs must be between"),
        ("fine-tune", {"learning_rate": 0.0}, "learning_rate must be between"),
        ("fine-tune", {"ranks": (3, 3)}, "ranks belong to pca and svd"),
        ("fine-tune", {"name": " "}, "a name must have"),
        ("pca", {}, "ranks must be given for pca"),
        ("svd", {"ranks": (3,)}, "2 numbers"),
        ("svd", {"ranks": (21, 3)}, "between 0 and 20"),
        ("svd", {"ranks": (-1, 3)}, "between 0 and 20"),
    ],
)
def test_what_cannot_be_made_of_a_run_is_refused_in_words(how, details, words, store, parent):
    with pytest.raises(SettingError) as caught:
        continue_run(store, parent, how, **{"epochs": 1, **details})
    assert words in str(caught.value)
    assert len(store.runs.all()) == 1


def test_a_run_that_has_not_ended_cannot_be_continued(store):
    run = store.runs.get(store.runs.add(PARENT))
    with pytest.raises(SettingError, match=f"run {run.id} cannot be continued: it is queued"):
        continue_run(store, run, "fine-tune", epochs=1)


def test_a_run_that_kept_its_ends_only_can_be_rewound_to_its_start_only(store):
    run = store.runs.get(trained(store, PARENT, keep="ends"))
    assert continue_run(store, run, "rewind", epochs=1)
    with pytest.raises(SettingError, match="first and last weights only"):
        continue_run(store, run, "rewind-1", epochs=1)


def test_a_trainer_refuses_masks_of_another_network():
    with pytest.raises(ValueError, match="shapes"):
        Trainer(PARENT, DIGITS, masks=[torch.ones(3, 3, dtype=torch.bool)])
