"""The form of an experiment, made from the fields of `Experiment`."""

from typing import Any

import streamlit as st

from abp.training.experiment import Experiment, settings
from abp.training.setting import PARSED, Setting


def experiment_form(initial: Experiment, key: str) -> Experiment:
    """Input fields for every setting, those for few behind *Advanced*.

    Parameters
    ----------
    initial
        Values at first.
    key
        Keeps two forms apart.

    Raises
    ------
    abp.training.setting.SettingError
        If a value cannot be used.
    """
    fields = settings()
    plain = [name for name, setting in fields.items() if not setting.advanced]
    rare = [name for name, setting in fields.items() if setting.advanced]
    values = _fields(plain, fields, initial, key)
    with st.expander("Advanced", icon=":material/tune:"):
        values |= _fields(rare, fields, initial, key)
    return Experiment(**values | {name: parse(values[name]) for name, parse in PARSED.items()})


def _fields(names: list[str], fields: dict[str, Setting], initial: Experiment, key: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for start in range(0, len(names), 3):
        for column, name in zip(st.columns(3), names[start : start + 3], strict=False):
            with column:
                values[name] = _field(name, fields[name], getattr(initial, name), f"{key}-{name}")
    return values


def _field(name: str, setting: Setting, value: Any, key: str) -> Any:
    common: dict[str, Any] = {"label": setting.label, "help": setting.help, "key": key}
    if setting.choices:
        titles: dict[str, str] = dict(setting.choices)
        return st.selectbox(
            options=list(titles), index=list(titles).index(value), format_func=lambda choice: titles[choice], **common
        )
    if name in PARSED:
        return st.text_input(value=", ".join(map(str, value)), **common)
    if isinstance(value, bool):
        return st.checkbox(value=value, **common)
    if isinstance(value, int):
        assert setting.low is not None and setting.high is not None
        return st.number_input(value=value, min_value=int(setting.low), max_value=int(setting.high), step=1, **common)
    assert setting.low is not None and setting.high is not None
    bounds: dict[str, Any] = {"min_value": float(setting.low), "max_value": float(setting.high), "step": setting.step}
    return st.number_input(value=value, format="%g", **bounds, **common)
