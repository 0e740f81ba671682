"""What the README and the pages of `docs` show in Python runs as it stands there."""

from __future__ import annotations

import re
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest
from sklearn.exceptions import ConvergenceWarning

ROOT = Path(__file__).parents[1]


def blocks(page: str) -> list[str]:
    """The Python code of a page, block by block."""
    return re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def test_the_readme_shows_code():
    assert len(blocks("README.md")) >= 3


@pytest.mark.parametrize("code", blocks("README.md"), ids=lambda code: re.findall(r"from (abp[.\w]*) import", code)[-1])
def test_code_of_the_readme_runs(code, home, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out.strip()


@pytest.mark.parametrize("code", blocks("docs/experiment-trackers.md"), ids=["mlflow", "wandb"])
def test_experiment_trackers_are_told_of_every_epoch_and_pruning(code, monkeypatch):
    """The trackers themselves are too heavy to install for this: stand-ins note what they are told."""
    told: list[dict] = []
    mlflow = SimpleNamespace(
        start_run=MagicMock(), log_params=MagicMock(), log_metrics=lambda metrics, step: told.append(metrics)
    )
    wandb = MagicMock()
    wandb.init.return_value.__enter__.return_value.log = told.append
    monkeypatch.setitem(sys.modules, "mlflow", mlflow)
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    names: dict = {}
    exec(compile(code, "docs/experiment-trackers.md", "exec"), names)
    trainer = names["trainer"]
    assert len(told) == trainer.epoch + trainer.prunings
    assert told[-1]["sparsity"] == trainer.sparsity
