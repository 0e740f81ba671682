"""The form of an experiment, made from the fields of `Experiment`."""

from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from abp.dashboard.frame.fields import broken_criteria, number_field, refuse
from abp.training.experiment import Experiment, SettingError, settings
from abp.training.setting import PARSED, Setting, from_percent, to_percent


class ExperimentForm:
    """Input fields for every setting, those for few behind *Advanced*; drawn when it is made.

    What is written in it stays while its page is left, until the browser's page is reloaded.

    Parameters
    ----------
    initial
        Values at first.
    key
        Keeps two forms apart.

    Attributes
    ----------
    experiment
        What the fields say; None while a value cannot be used, which is said beside its field.
    wrong
        Labels of the fields to be corrected.
    """

    def __init__(self, initial: Experiment, key: str) -> None:
        self.settings, self.key = settings(), key
        self.experiment: Experiment | None = None
        self.wrong: list[str] = []
        self._places: dict[str, DeltaGenerator] = {}
        plain = [name for name, setting in self.settings.items() if not setting.advanced]
        rare = [name for name, setting in self.settings.items() if setting.advanced]
        values = self._fields(plain, initial)
        with st.expander("Advanced", icon=":material/tune:"):
            values |= self._fields(rare, initial)
        if not self.wrong:
            try:
                self.experiment = Experiment(**values)
            except SettingError as error:
                self._refuse(error)

    def _fields(self, names: list[str], initial: Experiment) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for start in range(0, len(names), 3):
            for column, name in zip(st.columns(3), names[start : start + 3], strict=False):
                with column:
                    setting = self.settings[name]
                    try:
                        values[name] = _field(name, setting, getattr(initial, name), f"{self.key}-{name}")
                    except SettingError as error:
                        self._places[name] = st.container()
                        self._refuse(error)
                        continue
                    self._places[name] = st.container()
                    if name == "criterion":
                        broken_criteria()
                    if values[name] is None:
                        self.wrong.append(setting.field_label)
        return values

    def _refuse(self, error: SettingError) -> None:
        """Say beside the first field that an error is about what is wrong, in the words of the form."""
        with self._places.get(error.fields[0], st.container()) if error.fields else st.container():
            sentence = error.said(self._name, lambda name, value: self.settings[name].shown(value))
            refuse(f"{sentence[:1].upper()}{sentence[1:]}.")
        self.wrong += [self.settings[name].field_label for name in error.fields[:1]]

    def _name(self, field: str) -> str:
        return f"“{self.settings[field].label}”"


def _field(name: str, setting: Setting, value: Any, key: str) -> Any:
    common: dict[str, Any] = {
        "label": setting.field_label, "help": setting.help, "key": key, "persist_state": "session"
    }  # fmt: skip
    if setting.choices:
        titles: dict[str, str] = dict(setting.choices)
        return st.selectbox(
            options=list(titles), index=list(titles).index(value), format_func=lambda choice: titles[choice], **common
        )
    if name in PARSED:
        return PARSED[name](st.text_input(value=", ".join(map(str, value)), **common))
    if isinstance(value, bool):
        return st.checkbox(value=value, **common)
    assert setting.low is not None and setting.high is not None
    low, high, step = setting.low, setting.high, setting.step
    if isinstance(value, int):
        return number_field(value=value, low=int(low), high=int(high), **common)
    if not setting.percent:
        return number_field(value=value, low=low, high=high, step=step, **common)
    assert step is not None
    written = number_field(
        value=to_percent(value), low=to_percent(low), high=to_percent(high), step=to_percent(step), **common
    )
    return None if written is None else from_percent(written)
