"""Studies: which runs a fair comparison over seeds needs. Every criterion has the same schedule, budget and seeds."""

import dataclasses
import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from abp.data.datasets import DATASETS
from abp.display import Displayed
from abp.errors import listed, quoted
from abp.pruning.criteria import CRITERIA, remember_criterion, why_broken
from abp.training.experiment import Experiment, SettingError, dense_settings
from abp.training.setting import read_json

DENSE = "none"
"""The criterion of the dense network, which removes nothing."""

MOST_RUNS = 10_000

LONGEST_TEXT = 1_000_000
"""Characters of a study as JSON, at most."""


@dataclass(frozen=True)
class Cell:
    """One row of a study: what its runs have in common but for the seed.

    Attributes
    ----------
    amount
        Share of the hidden weights to remove; 0 of a dense network.
    nuclear
        Strength of the nuclear-norm regulariser; 0 but for the regularised dense networks.
    """

    dataset: str
    criterion: str
    amount: float = 0.0
    nuclear: float = 0.0

    @property
    def title(self) -> str:
        """For people: method and amount."""
        if self.criterion != DENSE:
            return f"{CRITERIA[self.criterion].title}, {100 * self.amount:g} %"
        return f"dense, nuclear norm {self.nuclear:g}" if self.nuclear else "dense"


@dataclass(frozen=True, kw_only=True)
class Study(Displayed):
    """A specification: every data set x criterion x amount x seed, and what all runs have in common.

    Parameters
    ----------
    datasets, criteria, amounts, seeds
        Without repetitions. The criterion ``none`` is the dense network, once for each data set and seed.
    prunings
        In how many steps an amount is removed.
    nuclear
        Strengths of the nuclear-norm regulariser: as many more dense networks for each data set and seed, trained with
        it, for the paper's fourth claim.
    base
        All other settings; its data set, criterion, amount, prunings and seed do not matter.

    Raises
    ------
    abp.training.setting.SettingError
        If a value cannot be used; the message names it and says what would do.

    Examples
    --------
    >>> study = Study(datasets=("digits",), criteria=("none", "magnitude"), amounts=(0.5, 0.8), seeds=(0, 1))
    >>> len(study.cells()), len(study.experiments())
    (3, 6)
    """

    datasets: tuple[str, ...]
    criteria: tuple[str, ...]
    amounts: tuple[float, ...]
    seeds: tuple[int, ...]
    prunings: int = 5
    nuclear: tuple[float, ...] = ()
    base: Experiment = dataclasses.field(default_factory=Experiment)

    def __post_init__(self) -> None:
        for name in ("datasets", "criteria", "amounts", "seeds", "nuclear"):
            object.__setattr__(self, name, _checked_list(name, getattr(self, name)))
        resolved = tuple(DATASETS.resolve(name) if isinstance(name, str) else name for name in self.datasets)
        object.__setattr__(self, "datasets", resolved)
        for criterion in self.criteria:
            if reason := why_broken(criterion):
                raise SettingError(f"criteria cannot name {quoted(criterion)}: {reason}")
        for name, known in (("datasets", DATASETS), ("criteria", CRITERIA)):
            if unknown := [value for value in getattr(self, name) if not isinstance(value, str) or value not in known]:
                raise SettingError(f"{name} must be among {listed(known, most=1000)}, not {quoted(unknown[0])}")
        if self.criteria != (DENSE,) and not self.amounts:
            raise SettingError("amounts must name at least one share of the weights to remove, such as 0.8")
        self._check_base()
        if (runs := len(self.cells()) * len(self.seeds)) > MOST_RUNS:
            raise SettingError(
                f"a study may have {MOST_RUNS:,} runs at most, not {runs:,}: name fewer seeds or amounts"
            )
        self._check_each_value()

    def _check_base(self) -> None:
        if not isinstance(self.base, Experiment):
            raise SettingError(f"base must be an Experiment, not {quoted(self.base)}")
        if self.base.nuclear:
            raise SettingError(f"base must have nuclear 0, not {self.base.nuclear:g}: name strengths as nuclear")
        if isinstance(self.prunings, int) and self.prunings < 1:
            raise SettingError(f"prunings must be at least 1 in a study, not {quoted(self.prunings)}")
        unused: dict[str, Any] = {name: Experiment.__dataclass_fields__[name].default for name in _VARIED}
        object.__setattr__(self, "base", dataclasses.replace(self.base, **unused, prunings=self.prunings))

    def _check_each_value(self) -> None:
        """Let `Experiment` say what is wrong with a value, each in its turn instead of all their products."""
        for value in (*self.amounts, *self.nuclear):
            if isinstance(value, int | float) and value <= 0:
                raise SettingError(f"amounts and strengths of nuclear must be above 0, not {quoted(value)}: 0 is dense")
        for cell in self.cells():
            self.experiment(cell, self.seeds[0])
        for seed in self.seeds:
            dataclasses.replace(self.base, seed=seed)

    @property
    def title(self) -> str:
        """One line for people."""
        titles = " and ".join(DATASETS[name].title for name in self.datasets)
        amounts = ", ".join(f"{100 * amount:g}" for amount in self.amounts)
        return f"{titles} · {amounts} % · {len(self.seeds)} seeds" if amounts else f"{titles} · {len(self.seeds)} seeds"

    def cells(self) -> list[Cell]:
        """The rows, in the order of the specification, dense networks first; none twice."""
        found = []
        for dataset in self.datasets:
            dense = [Cell(dataset, DENSE)] if DENSE in self.criteria else []
            regularised = [Cell(dataset, DENSE, nuclear=strength) for strength in self.nuclear]
            pruned = [
                Cell(dataset, criterion, amount)
                for amount in self.amounts
                for criterion in self.criteria
                if criterion != DENSE
            ]
            found += [*dense, *regularised, *pruned]
        return found

    def experiment(self, cell: Cell, seed: int) -> Experiment:
        """Settings of one run; those of a dense one are what `dense_settings` makes of any other run of its seed."""
        common: dict[str, Any] = {"dataset": cell.dataset, "seed": seed, "nuclear": cell.nuclear}
        if cell.criterion == DENSE:
            return dataclasses.replace(dense_settings(self.base), **common)
        return dataclasses.replace(self.base, **common, criterion=cell.criterion, amount=cell.amount)

    @functools.lru_cache(maxsize=16)  # noqa: B019 - few studies are looked at, and pages ask for each again and again
    def planned(self) -> Mapping[Experiment, tuple[Cell, int]]:
        """Settings of every run with its cell and seed; seed after seed, so that there is soon something to compare."""
        return {self.experiment(cell, seed): (cell, seed) for seed in self.seeds for cell in self.cells()}

    def experiments(self) -> list[Experiment]:
        """Settings of every run, none twice."""
        return list(self.planned())

    def extended(
        self,
        *,
        criteria: Sequence[str] = (),
        amounts: Sequence[float] = (),
        seeds: Sequence[int] = (),
        nuclear: Sequence[float] = (),
    ) -> "Study":
        """The same study with more of these; what it has already is not repeated."""
        more = {"criteria": criteria, "amounts": amounts, "seeds": seeds, "nuclear": nuclear}
        changes: dict[str, Any] = {
            name: tuple(dict.fromkeys((*getattr(self, name), *values))) for name, values in more.items() if values
        }
        return dataclasses.replace(self, **changes)

    def to_json(self) -> str:
        """The specification as JSON text, for `from_json`."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The specification that `to_json` wrote; its criteria need not be installed here any more.

        >>> study = preset("demo")
        >>> Study.from_json(study.to_json()) == study
        True
        """
        values = read_json(text, "a study", LONGEST_TEXT)
        known = [field.name for field in dataclasses.fields(cls)]
        if not isinstance(values, dict) or not {"datasets", "criteria", "amounts", "seeds"} <= values.keys():
            raise SettingError(
                f"a study must be a JSON object with datasets, criteria, amounts, seeds; not {quoted(text)}"
            )
        if unknown := sorted(set(values) - set(known)):
            raise SettingError(f"unknown part of a study: {listed(unknown)}; known are {', '.join(known)}")
        if "base" in values:
            values["base"] = Experiment.from_json(json.dumps(values["base"]))
        if isinstance(values["criteria"], list):
            for criterion in values["criteria"]:
                remember_criterion(criterion)
        return cls(**values)


_VARIED = ("dataset", "criterion", "amount", "seed")
"""Settings in which the runs of a study differ."""


def _checked_list(name: str, values: Any) -> tuple:
    """A tuple without repetitions, of at least one value where one is needed."""
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise SettingError(f"{name} must be a list, not {quoted(values)}")
    if not values and name not in ("nuclear", "amounts"):
        raise SettingError(f"{name} must name at least one value")
    if len({quoted(value, most=10_000) for value in values}) < len(values):
        raise SettingError(f"{name} must not name a value twice: {quoted(list(values))}")
    return tuple(values)


PAPER = (DENSE, "activation", "activation-neuron", "magnitude", "magnitude-neuron", "random", "random-neuron")
"""The paper's two criteria beside the controls without which no comparison is fair."""

PRESETS: dict[str, str] = {
    "demo": "all methods at 80 %, a small network: about a minute on two cores",
    "published": "80, 85 and 90 % in five prunings, the published network",
    "trade-off": "50 to 97 %: accuracy against sparsity",
}
"""Name of each ready-made study, with a sentence for people."""

_AMOUNTS = {"demo": (0.8,), "published": (0.8, 0.85, 0.9), "trade-off": (0.5, 0.75, 0.8, 0.85, 0.9, 0.95, 0.97)}


def preset(
    name: str,
    *,
    dataset: str | None = None,
    seeds: int = 5,
    criteria: Sequence[str] | None = None,
    amounts: Sequence[float] | None = None,
    nuclear: Sequence[float] = (),
) -> Study:
    """A ready-made study.

    Parameters
    ----------
    name
        A key of `PRESETS`.
    dataset
        By default ``digits`` for the demo, and ``fashion-mnist`` for the others.
    seeds
        How many: 0, 1, ...
    criteria, amounts
        Instead of those of the preset.

    Raises
    ------
    abp.training.setting.SettingError
        If there is no such preset, or a value cannot be used.

    Examples
    --------
    >>> len(preset("published").cells())
    19
    """
    if name not in PRESETS:
        raise SettingError(f"a study must be one of {', '.join(PRESETS)}, not {quoted(name)}")
    if seeds < 1:
        raise SettingError(f"seeds must be at least 1, not {quoted(seeds)}")
    if seeds > MOST_RUNS:
        raise SettingError(f"seeds must be at most {MOST_RUNS:,}, not {quoted(seeds)}")
    demo = name == "demo"
    return Study(
        datasets=(dataset or ("digits" if demo else "fashion-mnist"),),
        criteria=PAPER if criteria is None else tuple(criteria),
        amounts=_AMOUNTS[name] if amounts is None else tuple(amounts),
        seeds=tuple(range(seeds)),
        nuclear=tuple(nuclear),
        base=_DEMO if demo else Experiment(),
    )


_DEMO = Experiment(hidden=(60, 60, 40), learning_rate=0.05, epochs=150)
"""A layer of more neurons than the 64 pixels of a digit has could lose most of them and still have full rank."""
