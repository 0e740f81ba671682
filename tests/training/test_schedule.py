from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from abp import Experiment, Trainer
from abp.network.masks import cascade, kept
from abp.network.mlp import Network
from abp.pruning.criteria import CRITERIA
from abp.training.checkpoint import restore_checkpoint, save_checkpoint
from abp.training.randomness import generator
from abp.training.schedule import EarlyStopping, Schedule, accuracy_thresholds, cumulative_targets, polynomial_targets

# Targets and thresholds


def test_80_percent_in_five_prunings_takes_the_published_shares():
    targets = cumulative_targets(0.8, 5, 0.8)
    shares = [after - before for before, after in zip([0, *targets], targets, strict=False)]
    assert [round(100 * share, 1) for share in shares] == [23.8, 19.0, 15.2, 12.2, 9.7]
    assert 100 * shares[-1] == pytest.approx(9.75, abs=0.005)


@given(st.floats(0, 0.999), st.integers(1, 100), st.floats(0.01, 1))
def test_each_pruning_removes_the_ratio_times_what_the_one_before_removed(amount, prunings, ratio):
    targets = cumulative_targets(amount, prunings, ratio)
    shares = [after - before for before, after in zip([0, *targets], targets, strict=False)]
    assert targets[-1] == amount
    assert all(share > -1e-12 for share in shares)
    for before, after in zip(shares, shares[1:], strict=False):
        assert after == pytest.approx(ratio * before, abs=1e-12)


def test_no_prunings_have_no_targets_and_no_thresholds():
    assert cumulative_targets(0.8, 0, 0.8) == accuracy_thresholds(0.8, 0.98, 0) == []


@pytest.mark.parametrize(
    ("prunings", "expected"),
    [
        (1, [0.80]),
        (5, [0.80, 0.836, 0.872, 0.908, 0.944]),
        (10, [0.80, 0.818, 0.836, 0.854, 0.872, 0.890, 0.908, 0.926, 0.944, 0.962]),
    ],
)
def test_thresholds_start_at_80_percent_and_rise_by_18_percent_over_the_prunings(prunings, expected):
    assert accuracy_thresholds(0.80, 0.98, prunings) == pytest.approx(expected)


# Early stopping: "above 1.1 x its minimum and rising, three times; back to 0 below 1.1 x the minimum"

STORIES = {
    "three rising epochs above the bound": ([1.0, 1.2, 1.3, 1.4], [4]),
    "rising below the bound": ([1.0, 1.01, 1.03, 1.05, 1.07, 1.1], []),
    "above the bound but falling": ([1.0, 1.5, 1.4, 1.3, 1.2], []),
    "ticks outlast a fall that stays above the bound": ([1.0, 1.2, 1.3, 1.2, 1.4], [5]),
    "ticks start again after a return below the bound": ([1.0, 1.2, 1.3, 1.05, 1.2, 1.3, 1.4], [7]),
    "a level loss does not tick": ([1.0, 1.2, 1.2, 1.2, 1.3, 1.4], [6]),
    "a new minimum moves the bound": ([2.0, 1.0, 1.2, 1.3, 1.4], [5]),
    "it fires on for as long as the loss stays up": ([1.0, 1.2, 1.3, 1.4, 1.5], [4, 5]),
}


@pytest.mark.parametrize("story", STORIES)
def test_early_stopping_follows_the_published_rule(story):
    losses, epochs = STORIES[story]
    rule = EarlyStopping(factor=1.1, patience=3)
    assert [epoch for epoch, loss in enumerate(losses, start=1) if rule.fires(loss)] == epochs


def test_early_stopping_without_patience_never_fires():
    rule = EarlyStopping(factor=1.1, patience=0)
    assert not any(rule.fires(loss) for loss in range(1, 100))


def test_early_stopping_starts_afresh_when_restarted():
    rule = EarlyStopping(factor=1.1, patience=3)
    assert [rule.fires(loss) for loss in (1.0, 1.2, 1.3)] == [False] * 3
    rule.restart()
    assert rule == EarlyStopping(factor=1.1, patience=3)
    assert [rule.fires(loss) for loss in (2.0, 2.3, 2.4, 2.5)] == [False, False, False, True]


# Decisions


def schedule(**settings) -> Schedule:
    return Schedule(Experiment(**({"criterion": "magnitude", "prunings": 2} | settings)))


def test_a_pruning_is_due_when_training_accuracy_reaches_the_threshold_of_its_number():
    plan = schedule(start_accuracy=0.5, stop_accuracy=0.9)  # thresholds 0.5 and 0.7
    assert plan.after_epoch(0.4999, 1.0) == "train"
    assert plan.after_epoch(0.5, 1.0) == "prune"
    plan.done = 1
    assert plan.after_epoch(0.6999, 1.0) == "train"
    assert plan.after_epoch(0.7, 1.0) == "prune"


def test_training_does_not_stop_for_its_accuracy_before_the_last_pruning():
    plan = schedule()
    assert plan.after_epoch(1.0, 1.0) == "prune"
    plan.done = 1
    assert plan.after_epoch(1.0, 1.0) == "prune"
    plan.done = 2
    assert plan.after_epoch(0.9799, 1.0) == "train"
    assert plan.after_epoch(0.98, 1.0) == "stop-accuracy"


def decisions(plan: Schedule, losses: list[float]) -> list[str]:
    return [plan.after_epoch(0.1, loss) for loss in losses]


def test_training_that_stalls_before_the_last_pruning_prunes_at_once():
    assert decisions(schedule(stalled="prune"), [1.0, 1.2, 1.3, 1.4]) == ["train"] * 3 + ["prune-stalled"]


def test_training_that_stalls_before_the_last_pruning_stops_if_told_to():
    assert decisions(schedule(stalled="stop"), [1.0, 1.2, 1.3, 1.4]) == ["train"] * 3 + ["early-stopping"]


@pytest.mark.parametrize("stalled", ["prune", "stop"])
def test_training_that_stalls_after_the_last_pruning_stops(stalled):
    plan = schedule(stalled=stalled)
    plan.done = 2
    assert decisions(plan, [1.0, 1.2, 1.3, 1.4]) == ["train"] * 3 + ["early-stopping"]


def test_a_stop_accuracy_of_one_never_ends_training():
    plan = schedule(criterion="none", stop_accuracy=1.0)
    assert plan.after_epoch(1.0, 1.0) == "train"


def test_the_criterion_none_has_no_prunings():
    plan = schedule(criterion="none", prunings=5)
    assert (plan.remaining, plan.targets, plan.thresholds) == (0, [], [])
    assert plan.after_epoch(0.98, 1.0) == "stop-accuracy"


# The schedule at work


def trainer(**settings) -> Trainer:
    few = {"hidden": (20, 12), "criterion": "magnitude", "learning_rate": 0.1}
    return Trainer(Experiment(**(few | settings)))


def test_what_a_hand_removed_is_taken_off_the_schedule():
    run = trainer(amount=0.8, prunings=5)
    targets = cumulative_targets(0.8, 5, 0.8)
    run.train_epoch()
    by_hand = run.prune("random", amount=0.1)
    first = run.prune_due()
    assert (by_hand.by, first.by) == ("hand", "schedule")
    assert first.requested == pytest.approx(targets[0] - by_hand.achieved, abs=1e-12)
    assert run.sparsity == pytest.approx(targets[0], abs=0.01)
    # More by hand than the next target: nothing is left to do until the schedule is further on.
    run.prune("random", amount=0.3)
    second = run.prune_due()
    assert (second.requested, second.weights_removed) == (0, 0)
    third = run.prune_due()
    assert third.requested == pytest.approx(targets[2] - second.sparsity, abs=1e-12)
    assert third.sparsity == pytest.approx(targets[2], abs=0.01)


def test_a_stalled_run_reaches_its_target_by_stall_prunings():
    # Above 1 x the minimum and rising once is stalled; the accuracy threshold is out of reach.
    run = trainer(
        amount=0.6, prunings=3, start_accuracy=1, stop_accuracy=1, early_stopping=1, patience=1, epochs=200,
        learning_rate=0.5,
    )  # fmt: skip
    prunings = [record for record in run.run() if hasattr(record, "requested")]
    assert [pruning.by for pruning in prunings] == ["stall"] * 3
    assert prunings[-1].sparsity == pytest.approx(0.6, abs=0.01)


def test_a_stalled_run_told_to_stop_stops_with_prunings_missing():
    run = trainer(
        prunings=3, start_accuracy=1, stop_accuracy=1, early_stopping=1, patience=1, epochs=200,
        learning_rate=0.5, stalled="stop",
    )  # fmt: skip
    assert not [record for record in run.run() if hasattr(record, "requested")]
    assert (run.stopped_by, run.schedule.remaining, run.sparsity) == ("early-stopping", 3, 0)


def test_every_pruning_also_one_by_hand_lets_early_stopping_start_afresh():
    run = trainer()
    run.schedule.after_epoch(0.1, 1.0)
    run.schedule.after_epoch(0.1, 1.2)
    assert run.schedule.early_stopping.ticks == 1
    run.prune("magnitude", amount=0.1)
    assert (run.schedule.early_stopping.ticks, run.schedule.early_stopping.lowest) == (0, math.inf)


def test_a_pruning_due_at_the_last_epoch_is_still_made():
    run = trainer(start_accuracy=0, stop_accuracy=0, amount=0.3, prunings=1, epochs=1)
    records = list(run.run())
    assert len(records) == 2
    assert (run.stopped_by, run.schedule.remaining) == ("epochs", 0)
    assert run.sparsity == pytest.approx(0.3, abs=0.01)


def test_a_due_pruning_is_not_forgotten_when_the_run_is_taken_up_again():
    run = trainer(start_accuracy=0, stop_accuracy=0, amount=0.3, prunings=1, epochs=3)
    next(run.run())  # whoever watched the run left between the epoch and its pruning
    assert run.due == "schedule"
    assert [type(record).__name__ for record in run.run()][0] == "Pruning"


def test_a_pruning_that_is_not_due_any_more_is_refused_in_words():
    run = trainer(amount=0.3, prunings=1)
    run.prune_due()
    with pytest.raises(ValueError, match="no .*pruning"):
        run.prune_due()
    assert run.schedule.done == 1


# Layer by layer


def by_layer(**settings) -> Trainer:
    return trainer(**({"schedule": "layer-by-layer", "hidden": (40, 30, 20), "prunings": 3} | settings))


def removed_in(run: Trainer) -> list[int]:
    return [mask.numel() - kept([mask]) for mask in run.masks]


def test_layer_by_layer_every_step_is_a_pruning_of_each_layer_with_a_threshold_of_its_own():
    settings = Experiment(criterion="magnitude", prunings=3, hidden=(40, 30, 20), schedule="layer-by-layer")
    assert settings.scheduled_prunings == 9
    plan = Schedule(settings)
    assert plan.remaining == 9
    assert plan.thresholds == pytest.approx(accuracy_thresholds(0.80, 0.98, 9))
    assert dataclasses.replace(settings, criterion="none").scheduled_prunings == 0


def test_layer_by_layer_each_pruning_brings_its_layer_to_the_geometric_share():
    """At random hardly a neuron dies of so little, so that each layer keeps what it had until its turn comes."""
    run = by_layer(criterion="random", amount=0.3)
    sizes, targets = [64 * 40, 40 * 30, 30 * 20], cumulative_targets(0.3, 3, 0.8)
    run.train_epoch()
    before = [0.0] * 3
    for target in targets:
        for layer in range(3):
            pruning = run.prune_due()
            before[layer] = target
            expected = [size * share for size, share in zip(sizes, before, strict=True)]
            assert run.sparsity * sum(sizes) == pytest.approx(sum(expected), abs=0.51)
            assert removed_in(run) == pytest.approx(expected, abs=1.1)
            assert pruning.requested == pytest.approx(pruning.achieved, abs=1 / sum(sizes))


@pytest.mark.parametrize("amount", [0.5, 0.8, 0.95])
@pytest.mark.parametrize("criterion", [name for name, entry in CRITERIA.items() if entry.scores and not entry.schedule])
def test_layer_by_layer_the_total_is_the_amount_to_the_nearest_weight_or_neuron(criterion, amount):
    run = by_layer(criterion=criterion, amount=amount)
    run.train_epoch()
    while run.schedule.remaining:
        layer = run.schedule.done % 3
        before = run.masks
        run.prune_due()
        # Nothing before the layer is touched, and nothing after it but what hangs on neurons that died (a control that
        # removes as many as another criterion removes as many there, too).
        after = run.masks
        assert all(torch.equal(after[index], before[index]) for index in range(layer))
        if not CRITERIA[criterion].as_many_as:
            alone = [mask if index != layer else after[layer] for index, mask in enumerate(before)]
            assert all(map(torch.equal, after, cascade(alone)))
        run.train_batches()
    neuron = 30 if CRITERIA[criterion].whole_neurons else 1  # a neuron of the last layer has 30 weights at most
    assert run.sparsity * 4360 == pytest.approx(amount * 4360, abs=neuron / 2 + 0.5)
    assert all(mask.any() for mask in run.masks)


def test_layer_by_layer_what_a_hand_removed_is_taken_off():
    run = by_layer(criterion="magnitude", amount=0.5)
    run.train_epoch()
    run.prune("random", amount=0.4)
    while run.schedule.remaining:
        run.prune_due()
    assert run.sparsity == pytest.approx(0.5, abs=1 / 4360)


def test_layer_by_layer_the_scope_changes_nothing():
    first, second = by_layer(), by_layer(scope="per-layer")
    for run in (first, second):
        run.train_epoch()
        while run.schedule.remaining:
            run.prune_due()
    assert all(map(torch.equal, first.masks, second.masks))


def test_prunings_by_hand_stay_global():
    first, second = by_layer(), trainer(hidden=(40, 30, 20))
    for run in (first, second):
        run.train_epoch()
        run.prune("magnitude", amount=0.3)
    assert all(map(torch.equal, first.masks, second.masks))


def test_a_run_layer_by_layer_reaches_its_target():
    run = by_layer(criterion="activation", amount=0.6, prunings=2, start_accuracy=0.3, stop_accuracy=0.8, epochs=60)
    prunings = [record for record in run.run() if hasattr(record, "requested")]
    assert len(prunings) == 6 and prunings[-1].sparsity == pytest.approx(0.6, abs=1 / 4360)


# The polynomial schedule: train, prune once an epoch, fine-tune for two


def test_polynomial_targets_are_those_of_the_formula_by_hand():
    assert polynomial_targets(0.8, 4) == pytest.approx([0.8 * 37 / 64, 0.8 * 56 / 64, 0.8 * 63 / 64, 0.8])
    assert polynomial_targets(0.9, 1) == [0.9]
    assert polynomial_targets(0.9, 0) == []


@given(st.floats(0, 0.999), st.integers(1, 100))
def test_polynomial_targets_rise_ever_less_and_end_at_the_amount(amount, prunings):
    targets = polynomial_targets(amount, prunings)
    shares = [after - before for before, after in zip([0, *targets], targets, strict=False)]
    assert targets[-1] == amount
    assert all(after <= before + 1e-12 for before, after in zip(shares, shares[1:], strict=False))


def after_training(**settings) -> Schedule:
    return schedule(**({"schedule": "polynomial", "prunings": 3, "start_accuracy": 0.1, "epochs": 100} | settings))


def test_prunings_after_training_wait_for_its_end_then_come_once_an_epoch_and_two_epochs_follow():
    plan = after_training(stop_accuracy=0.9)
    told = []
    for epoch, accuracy in enumerate([0.5, 0.89, 0.9, 0.3, 0.3, 0.95, 0.3], start=1):
        told.append(plan.after_epoch(accuracy, 1.0, epoch))
        plan.done += told[-1] == "prune"
    assert told == ["train", "train", "prune", "prune", "prune", "train", "fine-tuned"]


@pytest.mark.parametrize("stalled", ["prune", "stop"])
def test_training_that_stalls_has_ended_too(stalled):
    plan = after_training(stalled=stalled)
    assert decisions(plan, [1.0, 1.2, 1.3, 1.4]) == ["train"] * 3 + ["prune"]


def test_prunings_after_training_begin_early_enough_to_end_with_the_epochs():
    run = trainer(schedule="polynomial", prunings=3, amount=0.5, epochs=8, stop_accuracy=1, patience=0)
    records = list(run.run())
    assert [record.epoch for record in records if hasattr(record, "requested")] == [4, 5, 6]
    assert (run.epoch, run.stopped_by, run.schedule.remaining) == (8, "fine-tuned", 0)


def test_without_prunings_the_polynomial_schedule_is_dense_training():
    plan = after_training(prunings=0, stop_accuracy=0.9)
    assert plan.after_epoch(0.9, 1.0, 1) == "stop-accuracy"


@pytest.mark.parametrize("scope", ["global", "per-layer"])
def test_after_training_the_dense_network_is_pruned_to_the_polynomial_targets(scope):
    settings = {"hidden": (40, 30, 20), "stop_accuracy": 0.9, "epochs": 60}
    dense, run = (
        trainer(criterion="none", **settings),
        trainer(schedule="polynomial", scope=scope, amount=0.8, prunings=4, **settings),
    )
    list(dense.run())
    prunings = []
    for record in run.run():
        if hasattr(record, "requested"):
            prunings.append(record)
            if scope == "per-layer":
                shares = [gone / mask.numel() for gone, mask in zip(removed_in(run), run.masks, strict=True)]
                assert shares == pytest.approx([record.sparsity] * 3, abs=1 / 600)
        elif not run.sparsity and run.due:  # the dense training is over
            assert run.epoch == dense.epoch
            assert all(map(torch.equal, run.network.weights, dense.network.weights))
    assert dense.stopped_by == "stop-accuracy" and run.stopped_by == "fine-tuned"
    assert [pruning.epoch for pruning in prunings] == [dense.epoch + step for step in range(4)]
    assert [pruning.by for pruning in prunings] == ["schedule"] * 4
    assert [pruning.sparsity for pruning in prunings] == pytest.approx([0.4625, 0.7, 0.7875, 0.8], abs=1 / 4360)
    assert run.epoch == dense.epoch + 3 + 2


# The control that starts anew under its masks


def until_pruned(criterion: str) -> Trainer:
    """A trainer right after its last scheduled pruning."""
    settings = {"hidden": (20, 10), "amount": 0.7, "prunings": 2, "start_accuracy": 0.3, "learning_rate": 0.1}
    trainer = Trainer(Experiment(criterion=criterion, **settings))
    steps = trainer.run()
    while trainer.schedule.remaining:
        next(steps)
    return trainer


def test_what_is_left_after_the_last_pruning_starts_anew_and_trains_like_any_network_of_its_masks():
    control, plain = until_pruned("reinitialised-activation"), until_pruned("activation")
    assert control.epoch == plain.epoch > 0
    assert all(torch.equal(*pair) for pair in zip(control.masks, plain.masks, strict=True))
    assert control.evaluate("test") == plain.evaluate("test")  # the pruning's own accuracy is of what it left
    fresh = Network.glorot(control.experiment.sizes, generator(0, "weights", 1)).tensors()
    assert not torch.equal(
        fresh["output.weight"], Network.glorot(control.experiment.sizes, generator(0, "weights")).weights[-1]
    )
    other = Trainer(control.experiment, control.data, tensors=fresh, masks=control.masks)
    other.epoch = control.epoch  # so that it sees the pictures in the same order
    resumed = Trainer(control.experiment, control.data)
    restore_checkpoint(resumed, save_checkpoint(control))
    for _ in range(2):
        assert control.train_epoch() == other.train_epoch() == resumed.train_epoch() != plain.train_epoch()
    for name, tensor in other.network.tensors().items():
        assert torch.equal(control.network.tensors()[name], tensor)
        assert torch.equal(resumed.network.tensors()[name], tensor)
    control.train_epoch()
    assert control.running.accuracy > 0.3  # it starts anew once, not at every epoch


def test_a_pruning_by_hand_starts_anew_only_if_none_is_scheduled_after_it():
    trainer = until_pruned("magnitude")
    before = trainer.prune("reinitialised-activation", amount=0.05)
    assert before.test_after.accuracy > 0.2 and trainer.reinitialise_due
    scheduled = Trainer(Experiment(criterion="magnitude", hidden=(20, 10)))
    scheduled.train_epoch()
    scheduled.prune("reinitialised-activation", amount=0.05)
    assert not scheduled.reinitialise_due
