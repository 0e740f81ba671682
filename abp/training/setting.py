"""A setting: what people need to know of one, and whether a value can be used for it."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from abp.errors import AbpError


class SettingError(AbpError, ValueError):
    """A setting that cannot be used; the message names the field, the value and what is allowed."""


@dataclass(frozen=True)
class Setting:
    """What a form or the command line needs to know of a field.

    Attributes
    ----------
    label, help
        For people.
    low, high
        Inclusive bounds of a number.
    step
        Step of a number's input field.
    choices
        Allowed values, each with the title that people see.
    advanced
        Whether a form shows it only on demand.
    """

    label: str
    help: str
    low: float | None = None
    high: float | None = None
    step: float | None = None
    choices: Mapping[str, str] | None = None
    advanced: bool = True


def setting(default: Any, label: str, help: str, **details: Any) -> Any:
    """A field of `abp.training.experiment.Experiment`, with its default."""
    return dataclasses.field(default=default, metadata={"setting": Setting(label, help, **details)})


def parse_hidden(text: str) -> tuple[int, ...]:
    """Hidden layers from text such as ``300,200,100,50``.

    >>> parse_hidden("300, 200")
    (300, 200)
    """
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise SettingError(f"hidden must be whole numbers separated by commas, such as 300,200, not {text!r}") from None


def parse_ranks(text: str) -> tuple[int, ...]:
    """Rank limits from text such as ``20,10``; none from empty text.

    >>> parse_ranks("20, 10"), parse_ranks("")
    ((20, 10), ())
    """
    try:
        return tuple(int(part) for part in text.split(",")) if text.strip() else ()
    except ValueError:
        raise SettingError(f"ranks must be whole numbers separated by commas, or empty, not {text!r}") from None


PARSED: dict[str, Callable[[str], tuple[int, ...]]] = {"hidden": parse_hidden, "ranks": parse_ranks}
"""Settings that people write as text: how each is read."""


def checked(field: dataclasses.Field, value: Any) -> Any:
    """The value in its field's type, or a SettingError."""
    setting: Setting = field.metadata["setting"]
    if setting.choices is not None:
        if not isinstance(value, str) or value not in setting.choices:
            raise SettingError(f"{field.name} must be one of {', '.join(setting.choices)}, not {value!r}")
        return value
    if field.name == "hidden":
        return _checked_hidden(value, setting)
    if field.name == "ranks":
        return _checked_ranks(value)
    if isinstance(field.default, bool):
        if not isinstance(value, bool):
            raise SettingError(f"{field.name} must be true or false, not {value!r}")
        return value
    return _checked_number(field.name, value, setting, whole=isinstance(field.default, int))


def _checked_number(name: str, value: Any, setting: Setting, *, whole: bool) -> int | float:
    kind: Any = Integral if whole else Real  # NumPy's numbers will do
    if isinstance(value, bool) or not isinstance(value, kind):
        raise SettingError(f"{name} must be a {'whole ' if whole else ''}number, not {value!r}")
    assert setting.low is not None and setting.high is not None
    if not setting.low <= value <= setting.high:
        raise SettingError(f"{name} must be between {setting.low} and {setting.high}, not {value!r}")
    return int(value) if whole else float(value)


def _checked_hidden(value: Any, setting: Setting) -> tuple[int, ...]:
    if not isinstance(value, tuple) or not 1 <= len(value) <= 8:
        raise SettingError(f"hidden must be 1 to 8 layers, such as 300,200,100,50, not {value!r}")
    return tuple(int(_checked_number("hidden", width, setting, whole=True)) for width in value)


def _checked_ranks(value: Any) -> tuple[int, ...]:
    whole = isinstance(value, tuple) and all(isinstance(r, Integral) and not isinstance(r, bool) for r in value)
    if not whole:
        raise SettingError(f"ranks must be whole numbers, one per hidden layer, such as 20,10, or empty, not {value!r}")
    return tuple(int(rank) for rank in value)
