"""A setting: what people need to know of one, and whether a value can be used for it."""

import dataclasses
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from abp.errors import AbpError, listed, quoted


class SettingError(AbpError, ValueError):
    """A setting that cannot be used; the message names the field, the value and what is allowed.

    Parameters
    ----------
    message
        In it ``{amount}`` stands for the name of the field `amount`, and ``{amount=}`` for its value.
    values
        Of the fields that it is about; the first is the one to change.

    Attributes
    ----------
    fields
        Their names, as `Experiment` has them.

    Examples
    --------
    >>> error = SettingError("{seed} must be even, not {seed=}", seed=3)
    >>> str(error), error.said(lambda name: "Seed", lambda name, value: f"“{value}”")
    ('seed must be even, not 3', 'Seed must be even, not “3”')
    """

    def __init__(self, message: str, **values: Any) -> None:
        self.fields, self._message, self._values = tuple(values), message, values
        super().__init__(self.said(str, _as_text))

    def said(self, name: Callable[[str], str], value: Callable[[str, Any], str]) -> str:
        """The message with other words for the names and the values of its fields."""
        message = self._message
        for field, given in self._values.items():
            message = message.replace(f"{{{field}}}", name(field)).replace(f"{{{field}=}}", value(field, given))
        return message


def _as_text(_field: str, value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else value if isinstance(value, str) else quoted(value)


def complaint(read: Callable[[], object]) -> str:
    """What the SettingError says that reading something raises; empty if it raises none."""
    try:
        read()
    except SettingError as error:
        return str(error)
    return ""


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
    percent
        Whether people see and write this share as per cent.
    """

    label: str
    help: str
    low: float | None = None
    high: float | None = None
    step: float | None = None
    choices: Mapping[str, str] | None = None
    advanced: bool = True
    percent: bool = False

    @property
    def field_label(self) -> str:
        """The label of its field, with the unit."""
        return f"{self.label}, %" if self.percent else self.label

    def shown(self, value: Any) -> str:
        """A value as people see it.

        >>> Setting("Share", "", percent=True).shown(0.8), Setting("Layers", "").shown((30, 20))
        ('80 %', '30, 20')
        """
        if self.choices is not None:
            return self.choices[value]
        if self.percent:
            return f"{to_percent(value):g} %"
        if isinstance(value, bool):
            return "yes" if value else "no"
        return (", ".join(map(str, value)) or "none") if isinstance(value, tuple) else str(value)


def to_percent(share: float) -> float:
    """A share in per cent, as somebody would write it.

    >>> to_percent(0.07)
    7.0
    """
    return round(100 * share, 10)


def from_percent(percent: float) -> float:
    """The share that somebody means by so many per cent.

    >>> from_percent(12.3)
    0.123
    """
    return round(percent / 100, 12)


def setting(default: Any, label: str, help: str, **details: Any) -> Any:
    """A field of `abp.training.experiment.Experiment`, with its default."""
    return dataclasses.field(default=default, metadata={"setting": Setting(label, help, **details)})


def read_json(text: str, what: str, longest: int) -> Any:
    """What JSON text says, or a SettingError about `what` if it is none, or too long or deep to be any."""
    if len(text) > longest:
        raise SettingError(f"{what} must be JSON of at most {longest:,} characters, not {len(text):,}")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SettingError(f"{what} must be JSON: {error}") from None


def parse_hidden(text: str) -> tuple[int, ...]:
    """Hidden layers from text such as ``300,200,100,50``, or with spaces instead of commas.

    >>> parse_hidden("300, 200"), parse_hidden("64 32"), parse_hidden("300, 200,")
    ((300, 200), (64, 32), (300, 200))
    """
    try:
        return _whole_numbers(text)
    except ValueError:
        raise SettingError(
            f"{{hidden}} must be whole numbers separated by commas or spaces, such as 300, 200, not {quoted(text)}",
            hidden=text,
        ) from None


def parse_ranks(text: str) -> tuple[int, ...]:
    """Rank limits from text such as ``20,10``, or with spaces instead of commas; none from empty text.

    >>> parse_ranks("20, 10"), parse_ranks("")
    ((20, 10), ())
    """
    try:
        return _whole_numbers(text) if text.strip() else ()
    except ValueError:
        raise SettingError(
            f"{{ranks}} must be whole numbers separated by commas or spaces, or empty, not {quoted(text)}", ranks=text
        ) from None


def _whole_numbers(text: str) -> tuple[int, ...]:
    """Numbers between commas or spaces; a comma may follow the last one."""
    return tuple(int(part) for part in re.split(r"\s*,\s*|\s+", text.strip().removesuffix(",").strip()))


PARSED: dict[str, Callable[[str], tuple[int, ...]]] = {"hidden": parse_hidden, "ranks": parse_ranks}
"""Settings that people write as text: how each is read."""


def checked(field: dataclasses.Field, value: Any) -> Any:
    """The value in its field's type, or a SettingError."""
    setting: Setting = field.metadata["setting"]
    if setting.choices is not None:
        if not isinstance(value, str) or value not in setting.choices:
            raise SettingError(
                f"{{{field.name}}} must be one of {listed(setting.choices, most=1000)}, not {quoted(value)}",
                **{field.name: value},
            )
        return value
    if field.name == "hidden":
        return _checked_hidden(value, setting)
    if field.name == "ranks":
        return _checked_ranks(value)
    if isinstance(field.default, bool):
        if not isinstance(value, bool):
            raise SettingError(f"{{{field.name}}} must be true or false, not {quoted(value)}", **{field.name: value})
        return value
    return _checked_number(field.name, value, setting, whole=isinstance(field.default, int))


def _checked_number(name: str, value: Any, setting: Setting, *, whole: bool) -> int | float:
    kind: Any = Integral if whole else Real  # NumPy's numbers will do
    if isinstance(value, bool) or not isinstance(value, kind):
        raise SettingError(
            f"{{{name}}} must be a {'whole ' if whole else ''}number, not {quoted(value)}", **{name: value}
        )
    assert setting.low is not None and setting.high is not None
    if not setting.low <= value <= setting.high:
        raise SettingError(
            f"{{{name}}} must be between {setting.low} and {setting.high}, not {quoted(value)}", **{name: value}
        )
    return int(value) if whole else float(value)


def _checked_hidden(value: Any, setting: Setting) -> tuple[int, ...]:
    if not isinstance(value, tuple) or not 1 <= len(value) <= 8:
        raise SettingError(
            f"{{hidden}} must be 1 to 8 layers, such as 300,200,100,50, not {quoted(value)}", hidden=value
        )
    return tuple(int(_checked_number("hidden", width, setting, whole=True)) for width in value)


def _checked_ranks(value: Any) -> tuple[int, ...]:
    whole = isinstance(value, tuple) and all(isinstance(r, Integral) and not isinstance(r, bool) for r in value)
    if not whole:
        raise SettingError(
            f"{{ranks}} must be whole numbers, one per hidden layer, such as 20,10, or empty, not {quoted(value)}",
            ranks=value,
        )
    return tuple(int(rank) for rank in value)
