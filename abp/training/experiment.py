"""Settings of one run, validated once. Forms and the command line are made from the fields below."""

import dataclasses
import functools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from abp.data.datasets import DATASETS
from abp.errors import listed, quoted
from abp.pruning.criteria import CRITERIA, SCHEDULES, remember_criterion, why_broken
from abp.training.setting import Setting, SettingError, checked, read_json, setting

SCOPES: dict[str, str] = {"global": "over all hidden layers", "per-layer": "within each hidden layer"}
OPTIMISERS: dict[str, str] = {"sgd": "SGD", "adam": "Adam"}
NUCLEAR_WEIGHTS: dict[str, str] = {"plain": "plain sum", "index": "weighted by index, as published"}
NUCLEAR_STEPS: dict[str, str] = {"proximal": "proximal", "gradient": "gradient"}


LONGEST_TEXT = 20_000
"""Characters of settings as JSON, at most."""


class _Titles(Mapping[str, str]):
    """Titles by key of what a registry has now, which may have become more since the program began."""

    def __init__(self, registry: Mapping[str, Any]) -> None:
        self._registry = registry

    def __getitem__(self, key: str) -> str:
        return self._registry[key].title

    def __iter__(self) -> Iterator[str]:
        return iter(self._registry)

    def __len__(self) -> int:
        return len(self._registry)


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """Everything that decides a run; the defaults are those of the published study (Ganguli & Chong 2024).

    Raises
    ------
    SettingError
        If a value is of the wrong type or out of bounds.

    Examples
    --------
    >>> Experiment(amount=1.5)
    Traceback (most recent call last):
    abp.training.setting.SettingError: amount must be between 0 and 0.999, not 1.5
    """

    dataset: str = setting(
        "digits",
        "Data",
        "What the network learns to classify.",
        choices=_Titles(DATASETS),
        advanced=False,
    )
    hidden: tuple[int, ...] = setting(
        (300, 200, 100, 50),
        "Hidden layers",
        "Neurons in each hidden layer, separated by commas: 1 to 8 layers of 1 to 4,096 neurons.",
        low=1,
        high=4096,
        advanced=False,
    )
    criterion: str = setting(
        "activation",
        "What to remove",
        "How the network decides which weights or neurons go.",
        choices=_Titles(CRITERIA),
        advanced=False,
    )
    amount: float = setting(
        0.8,
        "Share to remove",
        "Share of all hidden weights that is removed by the end.",
        low=0,
        high=0.999,
        step=0.05,
        advanced=False,
        percent=True,
    )
    prunings: int = setting(5, "Prunings", "In how many steps the amount is removed.", low=0, high=100, advanced=False)
    schedule: str = setting(
        "at-once",
        "Schedule",
        "During training, all hidden layers at once or one after the other, each as a pruning of its own; or after "
        "it, one pruning an epoch, each smaller than the one before, and two epochs to end with; or before training, "
        "all in one pruning. SNIP always prunes before training.",
        choices=SCHEDULES,
    )
    scope: str = setting(
        "global",
        "Ranking",
        "Over all hidden layers, so that some may lose more than others, or within each, so that all reach the same "
        "sparsity. The layer-by-layer schedule always ranks within one layer.",
        choices=SCOPES,
    )
    seed: int = setting(
        0,
        "Seed",
        "Fixes the initial weights and the order of the data: the same seed gives the same run.",
        low=0,
        high=2**31 - 1,
        advanced=False,
    )
    epochs: int = setting(500, "Epochs at most", "Passes over the training data.", low=1, high=10_000)
    batch_size: int = setting(32, "Batch size", "Samples per training step.", low=1, high=10_000)
    learning_rate: float = setting(0.01, "Learning rate", "Size of a training step.", low=1e-6, high=10, step=0.001)
    optimiser: str = setting("sgd", "Optimiser", "Optimisation algorithm.", choices=OPTIMISERS)
    momentum: float = setting(
        0.0, "Momentum", "Share of the last step that SGD repeats in the next.", low=0, high=0.999, step=0.1
    )
    start_accuracy: float = setting(
        0.80, "First pruning at", "Training accuracy at which the first pruning is due.", low=0, high=1, step=0.01,
        percent=True,
    )  # fmt: skip
    stop_accuracy: float = setting(
        0.98, "Stop at", "Training accuracy that ends the run once all prunings are done; its highest never does.",
        low=0, high=1, step=0.01, percent=True,
    )  # fmt: skip
    share_ratio: float = setting(
        0.8, "Share ratio", "Each pruning removes this many times what the one before removed.", low=0.01, high=1,
        step=0.05,
    )  # fmt: skip
    early_stopping: float = setting(
        1.1, "Early stopping above", "Times the lowest validation loss.", low=1, high=100, step=0.05
    )
    patience: int = setting(
        3, "Patience", "Rising epochs above that bound before training counts as stalled; 0 never.", low=0, high=1000
    )
    stalled: str = setting(
        "prune",
        "When training stalls",
        "What to do if that happens before the last pruning.",
        choices={"prune": "make the next pruning immediately", "stop": "stop, as the published code does"},
    )
    reset_counts: bool = setting(
        False, "Reset counts", "Count activations afresh after each pruning instead of since the start."
    )
    nuclear: float = setting(
        0.0,
        "Nuclear-norm regulariser",
        "How strongly the sum of each hidden layer's singular values is held down (lambda); 0 not at all.",
        low=0,
        high=100,
        step=0.001,
    )
    nuclear_weights: str = setting(
        "plain", "Weights of singular values", "All equal, or i for the i-th largest.", choices=NUCLEAR_WEIGHTS
    )
    nuclear_from: float = setting(
        0.70, "Regularise from", "In epochs that follow one of at least this training accuracy.", low=0, high=1,
        step=0.01, percent=True,
    )  # fmt: skip
    nuclear_every: int = setting(
        100,
        "Regularise every",
        "Training steps from one regularising step to the next, which is scaled by the interval.",
        low=1,
        high=100_000,
    )  # fmt: skip
    nuclear_step: str = setting(
        "proximal",
        "Regularising step",
        "Proximal: singular values shrink and become zero. Gradient: they shrink, past zero if they are small.",
        choices=NUCLEAR_STEPS,
    )
    ranks: tuple[int, ...] = setting(
        (),
        "Rank limits",
        "Highest rank of each hidden layer, separated by commas; empty for no limit. Every 50 steps and at each "
        "epoch's end a layer is replaced by the nearest matrix of that rank.",
    )
    threads: int = setting(1, "Threads", "CPU threads of this run.", low=1, high=64)

    def __post_init__(self) -> None:
        for name in ("hidden", "ranks"):  # JSON knows no tuples
            value = getattr(self, name)
            object.__setattr__(self, name, tuple(value) if isinstance(value, list) else value)
        if isinstance(self.dataset, str):
            object.__setattr__(self, "dataset", DATASETS.resolve(self.dataset))
        if reason := why_broken(self.criterion):
            raise SettingError(f"{{criterion}} cannot be {{criterion=}}: {reason}", criterion=self.criterion)
        for field in dataclasses.fields(self):
            object.__setattr__(self, field.name, checked(field, getattr(self, field.name)))
        if self.start_accuracy > self.stop_accuracy:
            raise SettingError(
                "{start_accuracy} must not be above {stop_accuracy} ({stop_accuracy=}), not {start_accuracy=}",
                start_accuracy=self.start_accuracy,
                stop_accuracy=self.stop_accuracy,
            )
        if self.momentum and self.optimiser != "sgd":
            raise SettingError(
                "{momentum} belongs to the {optimiser} sgd; with {optimiser=} it must be 0, not {momentum=}",
                momentum=self.momentum,
                optimiser=self.optimiser,
            )
        self._check_schedule()
        self._check_ranks()

    def _check_schedule(self) -> None:
        criterion = CRITERIA[self.criterion]
        if criterion.schedule:
            object.__setattr__(self, "schedule", criterion.schedule)
        if self.schedule == "before-training" and criterion.needs_counts:
            raise SettingError(
                "{schedule} cannot be {schedule=} with the {criterion} {criterion=}: it ranks by activation "
                "counts, and there are none before training",
                schedule=self.schedule,
                criterion=self.criterion,
            )

    def _check_ranks(self) -> None:
        if not self.ranks:
            return
        if len(self.ranks) != len(self.hidden):
            raise SettingError(
                f"{{ranks}} must be empty or {len(self.hidden)} numbers, one per hidden layer, not {{ranks=}}",
                ranks=self.ranks,
            )
        shapes = zip(self.hidden, self.sizes, strict=False)
        for layer, (limit, shape) in enumerate(zip(self.ranks, shapes, strict=True), start=1):
            if not 0 <= limit <= min(shape):
                raise SettingError(
                    f"{{ranks}} of hidden layer {layer} must be between 0 and {min(shape)}, not {quoted(limit)}",
                    ranks=self.ranks,
                )
        if self.scheduled_prunings:
            raise SettingError(
                "{ranks} cannot be set in a run that prunes ({criterion} {criterion=}): removing weights would raise "
                "them again; leave {ranks} empty or choose the {criterion} none",
                ranks=self.ranks,
                criterion=self.criterion,
            )

    @property
    def sizes(self) -> list[int]:
        """Inputs, hidden neurons of each layer, classes."""
        info = DATASETS[self.dataset]
        return [info.inputs, *self.hidden, len(info.class_names)]

    @property
    def scheduled_prunings(self) -> int:
        """Prunings the schedule makes: none for the criterion ``none``, one per layer and step layer by layer.

        Before training it is a single one.
        """
        if self.criterion == "none":
            return 0
        if self.schedule == "before-training":
            return min(1, self.prunings)
        return self.prunings * len(self.hidden) if self.schedule == "layer-by-layer" else self.prunings

    @property
    def title(self) -> str:
        """One line for people: data, method, amount, regulariser, seed."""
        method = CRITERIA[self.criterion].title if self.scheduled_prunings else "dense"
        amount = f", {100 * self.amount:g} %" if self.scheduled_prunings else ""
        if self.scheduled_prunings and self.schedule not in ("at-once", CRITERIA[self.criterion].schedule):
            amount += f", {SCHEDULES[self.schedule]}"
        if self.scheduled_prunings and self.schedule != "layer-by-layer" and self.scope == "per-layer":
            amount += f", {SCOPES[self.scope]}"
        if self.nuclear:
            weights = " by index" if self.nuclear_weights == "index" else ""
            amount += f", nuclear norm{weights} {self.nuclear:g}"
        return f"{DATASETS[self.dataset].title} · {method}{amount} · seed {self.seed}"

    def check_pruning(self, criterion: str, amount: float, of: str = "all") -> None:
        """Raise a SettingError where a run of these settings cannot be pruned by hand like that."""
        removing = sorted(name for name, entry in CRITERIA.items() if entry.scores)
        if not isinstance(criterion, str) or criterion not in removing:
            raise SettingError(f"criterion must be one of {', '.join(removing)}, not {quoted(criterion)}")
        if isinstance(amount, bool) or not isinstance(amount, int | float) or not 0 <= amount <= 1:
            raise SettingError(f"amount must be between 0 and 1, not {quoted(amount)}")
        if of not in ("all", "left"):
            raise SettingError(f"of must be one of all, left, not {quoted(of)}")
        if self.ranks:
            raise SettingError("a run of limited ranks cannot be pruned: removing weights would raise the ranks again")

    def to_json(self) -> str:
        """The settings as JSON text, for `from_json`."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    @functools.lru_cache(maxsize=4096)  # a list of a thousand runs reads few different settings, again and again
    def from_json(cls, text: str) -> Self:
        """Settings that `to_json` wrote.

        >>> Experiment.from_json(Experiment(seed=3).to_json()).seed
        3
        """
        values = read_json(text, "settings", LONGEST_TEXT)
        if not isinstance(values, dict):
            raise SettingError(f"settings must be a JSON object, not {quoted(text)}")
        known = {field.name for field in dataclasses.fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise SettingError(f"unknown setting {listed(unknown)}; known are {', '.join(sorted(known))}")
        remember_criterion(values.get("criterion"))
        return cls(**values)


_PRUNING = (
    "criterion", "amount", "prunings", "schedule", "scope", "share_ratio", "start_accuracy", "stalled", "reset_counts",
    "ranks",
)  # fmt: skip
"""Settings that make no difference to a dense run."""


@functools.lru_cache(maxsize=4096)  # a study asks of each of its runs, whenever it is shown
def dense_settings(experiment: Experiment) -> Experiment:
    """Settings of the dense run that a pruned one is compared with: the same but for pruning."""
    plain: dict[str, Any] = {name: Experiment.__dataclass_fields__[name].default for name in _PRUNING}
    return dataclasses.replace(experiment, **{**plain, "criterion": "none", "start_accuracy": 0.0})


def settings() -> dict[str, Setting]:
    """What forms and the command line need to know of each field of `Experiment`, in order."""
    return {field.name: field.metadata["setting"] for field in dataclasses.fields(Experiment)}
