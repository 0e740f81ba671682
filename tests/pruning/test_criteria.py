"""Scores against plain loops; criteria of other packages."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from abp import Criterion, Experiment, Trainer, register_criterion
from abp.network.gradients import loss_gradients
from abp.network.masks import live_neurons
from abp.pruning import criteria
from abp.pruning.criteria import CRITERIA, Statistics
from abp.studies.specification import preset
from abp.training.experiment import SettingError, settings


def small(**changes) -> Trainer:
    trainer = Trainer(Experiment(**({"hidden": (12, 9, 7), "criterion": "none", "learning_rate": 0.1} | changes)))
    trainer.data = dataclasses.replace(
        trainer.data, train_x=trainer.data.train_x[:300], train_y=trainer.data.train_y[:300]
    )
    return trainer


@pytest.fixture(params=["whole", "weights removed", "neurons removed"])
def trainer(request) -> Trainer:
    """A network that has learned something, as it is or after a pruning and some more training."""
    found = small()
    found.train_epoch()
    if request.param != "whole":
        found.prune("magnitude" if request.param == "weights removed" else "activation-neuron", amount=0.5)
        found.train_epoch()
    return found


def scores(trainer: Trainer, criterion: str) -> list[Tensor]:
    """Scores of the network as it is, computed by the criterion itself."""
    score = CRITERIA[criterion].scores
    assert score is not None
    return score(
        Statistics(
            weights=trainer.network.weights[:-1],
            masks=trainer.masks,
            counts=trainer.activity.counts,
            samples=trainer.activity.samples,
            generator=torch.Generator().manual_seed(0),
            measure=lambda: pytest.fail("nothing is to be measured"),
            gradients=lambda: loss_gradients(trainer.network, trainer.data.train_x, trainer.data.train_y),
        )
    )


# Plain loops, in float64, with nothing of the package


def gradients_by_autograd(trainer: Trainer) -> list[Tensor]:
    """Of the mean loss over the training set, one picture after the other."""
    layers = [nn.Linear(weight.shape[1], weight.shape[0], dtype=torch.float64) for weight in trainer.network.weights]
    with torch.no_grad():
        for layer, weight, bias in zip(layers, trainer.network.weights, trainer.network.biases, strict=True):
            layer.weight.copy_(weight)
            layer.bias.copy_(bias)
    losses = []
    for picture, label in zip(trainer.data.train_x, trainer.data.train_y, strict=True):
        values = picture.double()
        for layer in layers[:-1]:
            values = torch.relu(layer(values))
        losses.append(functional.cross_entropy(layers[-1](values)[None], label[None]))
    torch.stack(losses).mean().backward()
    return [layer.weight.grad for layer in layers[:-1]]  # type: ignore[misc]


def taylor_by_loop(trainer: Trainer) -> list[Tensor]:
    pairs = zip(trainer.network.weights, gradients_by_autograd(trainer), strict=False)
    return [(weight.double() * gradient).abs() for weight, gradient in pairs]


def taylor_neuron_by_loop(trainer: Trainer) -> list[Tensor]:
    found = []
    for weight, gradient in zip(trainer.network.weights, gradients_by_autograd(trainer), strict=False):
        sums = []
        for neuron in range(len(weight)):
            pairs = zip(weight[neuron].tolist(), gradient[neuron].tolist(), strict=True)
            sums.append(abs(sum(w * g for w, g in pairs)))
        found.append(torch.tensor(sums))
    return found


def lamp_by_loop(trainer: Trainer) -> list[Tensor]:
    found = []
    for weight, mask in zip(trainer.network.weights, trainer.masks, strict=False):
        left = [value**2 for value in weight[mask].tolist()]
        score = torch.zeros(weight.shape, dtype=torch.float64)
        for place in mask.nonzero().tolist():
            square = weight[tuple(place)].item() ** 2
            score[tuple(place)] = square / sum(other for other in left if other >= square)
        found.append(score)
    return found


def magnitude_neuron_by_loop(trainer: Trainer) -> list[Tensor]:
    found = []
    for weight, mask in zip(trainer.network.weights, trainer.masks, strict=False):
        sizes: list[float | None] = []
        for row, left in zip(weight.tolist(), mask.tolist(), strict=True):
            squares = [value**2 for value, there in zip(row, left, strict=True) if there]
            sizes.append((sum(squares) / len(squares)) ** 0.5 if squares else None)
        alive = [size for size in sizes if size is not None]
        mean = sum(alive) / len(alive)
        found.append(torch.tensor([0.0 if size is None else size / mean for size in sizes]))
    return found


LOOPS: dict[str, Callable[[Trainer], list[Tensor]]] = {
    "taylor": taylor_by_loop,
    "taylor-neuron": taylor_neuron_by_loop,
    "snip": taylor_by_loop,
    "lamp": lamp_by_loop,
    "magnitude-neuron": magnitude_neuron_by_loop,
}


@pytest.mark.parametrize("criterion", LOOPS)
def test_scores_are_those_of_a_plain_loop(criterion, trainer):
    for mine, other in zip(scores(trainer, criterion), LOOPS[criterion](trainer), strict=True):
        assert mine.dtype == torch.float32 and other.max() > 0
        torch.testing.assert_close(mine.double(), other.double(), rtol=1e-3, atol=1e-5 * float(other.max()))


@pytest.mark.parametrize("criterion", ["lamp", "magnitude-neuron", "taylor", "taylor-neuron"])
def test_a_network_of_zeros_can_be_ranked(criterion):
    trainer = small()
    for weight in trainer.network.weights:
        weight.zero_()
    assert all(not score.any() for score in scores(trainer, criterion))
    assert trainer.prune(criterion, amount=0.3).achieved > 0


@pytest.mark.parametrize("amount", [0.2, 0.6, 0.9])
def test_lamp_removes_the_smallest_weights_of_every_layer_and_empties_none(amount):
    trainer = small()
    trainer.network.weights[1].mul_(1e-3)  # magnitude alone would take this layer first
    sizes = [weight.abs().clone() for weight in trainer.network.weights]
    trainer.prune("lamp", amount=amount)
    for size, mask in zip(sizes, trainer.masks, strict=False):
        assert mask.any() and (amount < 0.9 or not mask.all())
        alive = mask.any(dim=1)
        if alive.all():
            sources = mask.any(dim=0)
            kept, gone = size[mask], size[:, sources][~mask[:, sources]]
            assert len(gone) == 0 or gone.max() <= kept.min()


# Wanda, per output neuron


def wanda_masks_by_loop(trainer: Trainer, lost: list[int]) -> list[Tensor]:
    """Each row of each layer without so many of its smallest size x input, one picture after the other."""
    squares = [[0.0] * mask.shape[1] for mask in trainer.masks]
    for picture in trainer.data.train_x:
        values = picture
        for layer, sums in enumerate(squares):
            for place, value in enumerate(values.tolist()):
                sums[place] += value**2
            values = torch.relu(trainer.network.layers[layer](values)).detach()
    found = []
    for weight, sums, count in zip(trainer.network.weights, squares, lost, strict=False):
        mask = torch.ones(weight.shape, dtype=torch.bool)
        for row, values in enumerate(weight.tolist()):
            importance = [abs(value) * total**0.5 for value, total in zip(values, sums, strict=True)]
            for place in sorted(range(len(values)), key=importance.__getitem__)[:count]:
                mask[row, place] = False
        found.append(mask)
    return found


def test_wanda_takes_the_same_share_of_every_output_neuron():
    trainer = small(hidden=(12, 8, 4))
    trainer.train_epoch()
    expected = wanda_masks_by_loop(trainer, [48, 9, 6])  # three quarters of 64, 12 and 8 weights
    trainer.prune("wanda", amount=0.75)
    assert all(torch.equal(mine, other) for mine, other in zip(trainer.masks, expected, strict=True))


def test_wanda_spares_the_neurons_that_lost_more_before():
    trainer = small(hidden=(12, 8, 4))
    trainer.train_epoch()
    trainer.masks[0][0, :50] = False
    trainer.prune("wanda", amount=(0.5 * 896 - 50) / 896)
    left = trainer.masks[0].sum(dim=1)
    assert int(left[0]) == 14 and int(left[1:].max()) - int(left[1:].min()) <= 1


# Whole neurons


def test_random_neurons_differ_between_prunings_and_are_spread_over_all_layers():
    trainer = small(hidden=(60, 50, 40))
    draws = []
    for _ in range(2):
        before = live_neurons(trainer.masks)
        trainer.prune("random-neuron", amount=0.3)
        draws.append([old & ~new for old, new in zip(before, live_neurons(trainer.masks), strict=True)])
        for gone, old in zip(draws[-1], before, strict=True):
            assert 0 < int(gone.sum()) < int(old.sum())
    assert any(not torch.equal(a, b) for a, b in zip(*draws, strict=True))


@pytest.mark.parametrize("scope", ["global", "per-layer"])
@pytest.mark.parametrize("amount", [0.2, 0.5, 0.9])
def test_shuffled_neurons_are_as_many_in_every_layer_as_by_activation_and_others(amount, scope):
    shuffled, plain = small(hidden=(60, 50, 40), scope=scope), small(hidden=(60, 50, 40), scope=scope)
    for trainer in (shuffled, plain):
        trainer.train_epoch()
    plain.prune("activation-neuron", amount=amount)
    shuffled.prune("shuffled-activation-neuron", amount=amount)
    pairs = list(zip(live_neurons(shuffled.masks), live_neurons(plain.masks), strict=True))
    assert [int(mine.sum()) for mine, _ in pairs] == [int(other.sum()) for _, other in pairs]
    assert any(not torch.equal(mine, other) for mine, other in pairs)
    assert shuffled.sparsity == plain.sparsity


def test_shuffled_neurons_are_as_many_also_under_sparse_masks():
    shuffled, plain = small(), small()
    for trainer in (shuffled, plain):
        trainer.train_epoch()
        trainer.prune("magnitude", amount=0.7)
    plain.prune("activation-neuron", amount=0.15)
    shuffled.prune("shuffled-activation-neuron", amount=0.15)
    for mine, other in zip(live_neurons(shuffled.masks), live_neurons(plain.masks), strict=True):
        assert int(mine.sum()) == int(other.sum())


# Before training


def test_before_training_all_goes_at_once_from_the_initial_weights():
    trainer = small(criterion="snip", amount=0.8, prunings=5, epochs=2)
    assert trainer.experiment.schedule == "before-training" and trainer.schedule.remaining == 1
    untrained = small()
    untrained.prune("taylor", amount=0.8)
    records = list(trainer.run())
    first = records[0]
    assert (first.epoch, first.batch, first.by) == (0, 0, "schedule")
    assert first.achieved == pytest.approx(0.8, abs=1e-3)
    assert [type(record).__name__ for record in records] == ["Pruning", "Epoch", "Epoch"]
    assert all(torch.equal(a, b) for a, b in zip(trainer.masks, untrained.masks, strict=True))


@pytest.mark.parametrize("criterion", ["magnitude", "random-neuron", "apoz", "wanda", "lamp"])
def test_other_criteria_that_need_no_counts_can_prune_before_training(criterion):
    trainer = small(criterion=criterion, amount=0.5, schedule="before-training", epochs=1)
    assert next(trainer.run()).achieved == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("criterion", [name for name, entry in CRITERIA.items() if entry.needs_counts])
def test_counts_before_training_are_none(criterion):
    with pytest.raises(SettingError, match="before-training"):
        Experiment(criterion=criterion, schedule="before-training")


def test_the_criteria_that_look_at_counts_say_so():
    counts = [torch.full((n,), 7) for n in (12, 9, 7)]
    for name, entry in CRITERIA.items():
        if entry.scores is None or entry.as_many_as:
            continue
        trainer = small()
        first = scores_with(trainer, name, counts)
        second = scores_with(trainer, name, [count * 3 + torch.arange(len(count)) for count in counts])
        differs = any(not torch.equal(a, b) for a, b in zip(first, second, strict=True))
        assert differs == entry.needs_counts, name


def scores_with(trainer: Trainer, criterion: str, counts: list[Tensor]) -> list[Tensor]:
    seen = []
    entry = CRITERIA[criterion]
    trainer.activity.counts = counts
    trainer.activity.samples = 100
    watched = dataclasses.replace(entry, scores=lambda statistics: seen.append(entry.scores(statistics)) or seen[-1])
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(CRITERIA, criterion, watched)
        trainer.prunings = 0
        trainer.prune(criterion, amount=0)
    return seen[0]


# Criteria of other packages


def largest_first(statistics: Statistics) -> list[Tensor]:
    return [1 / (1 + weight.abs()) for weight in statistics.weights]


LARGEST = Criterion("largest weights first", "Removes the largest weights.", largest_first)


def test_a_registered_criterion_can_be_chosen_and_prunes(registry):
    register_criterion("largest-first", LARGEST)
    assert settings()["criterion"].choices["largest-first"] == "largest weights first"
    trainer = small(criterion="largest-first", amount=0.5, prunings=1)
    size = trainer.network.weights[0].abs().clone()
    trainer.prune("largest-first", amount=0.2)
    assert size[trainer.masks[0]].max() < size[~trainer.masks[0]].min()


@pytest.mark.parametrize(
    ("key", "criterion", "error"),
    [
        ("magnitude", LARGEST, "already"),
        ("Largest First", LARGEST, "must be like"),
        ("x" * 51, LARGEST, "50 characters"),
        ("mine", "magnitude", "must be an abp.Criterion"),
        (["mine"], LARGEST, "must be like"),
        *(
            ("mine", dataclasses.replace(LARGEST, **values), error)
            for values, error in (
                ({"title": None}, "title must be a name for people, not None"),
                ({"title": " "}, "title must be"),
                ({"title": "weights by magnitude"}, "another method has the title 'weights by magnitude'"),
                ({"title": "dense"}, "choose another"),
                ({"explanation": None}, "explanation must be a sentence"),
                ({"scores": None}, "scores must be a function from abp.Statistics"),
                ({"whole_neurons": "no"}, "whole_neurons must be True or False, not 'no'"),
                ({"needs_counts": 1}, "needs_counts must be True or False, not 1"),
                ({"schedule": "nightly"}, "one of at-once, layer-by-layer, polynomial, before-training, .*'nightly'"),
                ({"schedule": ["at-once"]}, "schedule must be one of"),
                ({"schedule": "before-training", "needs_counts": True}, "no counts yet"),
                ({"as_many_as": "nothing"}, "'nothing', which is not known"),
                ({"as_many_as": "none"}, "not known here to remove anything"),
                ({"as_many_as": ["magnitude"]}, "not known"),
                ({"as_many_as": "activation"}, "'activation', which needs counts; set needs_counts=True"),
                ({"as_many_as": "shuffled-activation"}, "needs counts"),
            )
        ),
    ],
)
def test_what_cannot_be_registered_is_refused_and_changes_nothing(registry, key, criterion, error):
    with pytest.raises((ValueError, TypeError), match=error):
        register_criterion(key, criterion)
    assert registry == CRITERIA


def test_a_control_of_what_ranks_by_counts_cannot_prune_before_training(registry):
    register_criterion("my-control", dataclasses.replace(LARGEST, as_many_as="activation", needs_counts=True))
    with pytest.raises(SettingError, match="none before training"):
        Experiment(criterion="my-control", schedule="before-training")


def test_what_is_not_installed_is_followed_by_none_and_takes_no_title(registry):
    Experiment.from_json(json.dumps({"criterion": "of-yesterday"}))
    with pytest.raises(ValueError, match="'of-yesterday', which is not known"):
        register_criterion("mine", dataclasses.replace(LARGEST, as_many_as="of-yesterday"))
    register_criterion("of-yesterday", dataclasses.replace(LARGEST, title="of-yesterday (not installed here)"))


def test_runs_by_a_criterion_that_is_not_installed_can_be_read_but_not_made(registry):
    text = Experiment(criterion="magnitude").to_json().replace('"magnitude"', '"of-yesterday"')
    read = Experiment.from_json(text)
    assert "of-yesterday (not installed here)" in read.title
    with pytest.raises(LookupError, match="of-yesterday"):
        small().prune("of-yesterday", amount=0.1)
    register_criterion("of-yesterday", LARGEST)
    assert "largest weights first" in Experiment.from_json(text).title


def test_a_broken_criterion_is_refused_with_the_reason_but_runs_by_it_can_be_read(registry):
    criteria.BROKEN["my-method"] = "ImportError: no module named numpie"
    with pytest.raises(
        SettingError, match=r"criterion cannot be my-method: it could not be loaded \(.*numpie\); repair"
    ):
        Experiment(criterion="my-method")
    with pytest.raises(SettingError, match=r"criteria cannot name 'my-method': it could not be loaded \(.*numpie\)"):
        preset("demo", criteria=("none", "my-method"))
    assert "my-method (broken here)" in Experiment.from_json(json.dumps({"criterion": "my-method"})).title


def test_what_can_be_the_key_of_no_criterion_is_refused_and_not_remembered():
    for name in ("No Such!", "x" * 51, "../etc", ["none"]):
        with pytest.raises(SettingError, match="criterion must be one of none, activation"):
            Experiment.from_json(json.dumps({"criterion": name}))
        assert name not in [*CRITERIA]


PACKAGE = """
from abp import Criterion, Statistics

def _scores(statistics: Statistics):
    return [1 / (1 + weight.abs()) for weight in statistics.weights]

LARGEST = Criterion("largest weights first", "Removes the largest weights.", _scores)
CONTROL = Criterion("as many weights", "Removes as many of each layer.", _scores, as_many_as="largest-first")
"""


def installed(folder: Path) -> dict[str, str]:
    """An environment in which a package declares two good and two broken criteria, a control before what it follows."""
    (folder / "their_package.py").write_text(PACKAGE)
    info = folder / "their_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[abp.criteria]\na-control = their_package:CONTROL\nlargest-first = their_package:LARGEST\n"
        "no-criterion = their_package:__doc__\nbroken = their_package:NOTHING\n"
    )
    root = Path(__file__).parents[2]
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(root)]), "ABP_HOME": str(folder / "home")}


def test_a_criterion_of_an_installed_package_is_known_to_workers_and_broken_ones_are_named(tmp_path):
    """A study trains in worker processes, which know it by its entry point alone."""
    environment = installed(tmp_path)
    command = [sys.executable, "-m", "abp", "study", "demo", "--seeds", "1", "--workers", "1"]
    options = ["--criteria", "none,largest-first", "--amounts", "0.3", "--json", str(tmp_path / "study.json")]
    done = subprocess.run([*command, *options], env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert "largest weights first, 30 %" in done.stderr
    assert "'no-criterion' cannot be used: TypeError" in done.stderr
    assert "'broken' cannot be used: AttributeError" in done.stderr


def test_a_control_may_be_declared_before_the_criterion_that_it_follows(tmp_path):
    program = "from abp.pruning.criteria import BROKEN, CRITERIA; print([*CRITERIA][-2:], [*BROKEN])"
    command = [sys.executable, "-W", "ignore", "-c", program]
    done = subprocess.run(command, env=installed(tmp_path), capture_output=True, text=True, timeout=600)
    assert done.stdout == "['largest-first', 'a-control'] ['no-criterion', 'broken']\n", done.stderr


@pytest.mark.parametrize("arguments", ["train --criterion broken", "study demo --criteria none,broken"])
def test_the_command_line_says_why_a_criterion_is_broken(arguments, tmp_path):
    command = [sys.executable, "-W", "ignore", "-m", "abp", *arguments.split()]
    done = subprocess.run(command, env=installed(tmp_path), capture_output=True, text=True, timeout=600)
    assert done.returncode == 2
    assert "it could not be loaded (AttributeError: module 'their_package' has no attribute 'NOTHING')" in done.stderr
