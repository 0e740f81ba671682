"""The wheel, installed far from the repository: the dashboard, the command line and the import work."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from abp.dashboard.frame.page import MENU
from tests.browser.conftest import ROOT, serving
from tests.waiting import PATIENCE

expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=1000 * PATIENCE)


@dataclass(frozen=True)
class Installed:
    """A virtual environment that has the wheel, and an empty folder to work in."""

    wheel: Path
    programs: Path
    packages: Path
    folder: Path

    def run(self, *command: object, home: Path) -> subprocess.CompletedProcess:
        """Run a program of the environment in the empty folder; it must end well."""
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        program, *arguments = map(str, command)
        return subprocess.run(
            [str(self.programs / program), *arguments],
            cwd=self.folder, env={**environment, "ABP_HOME": str(home)}, capture_output=True, text=True, check=True,
        )  # fmt: skip


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Installed:
    """The wheel, built and installed without downloads: the new environment borrows this one's other packages."""
    place = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = [*pip, "wheel", "--no-index", "--no-deps", "--no-build-isolation", f"--wheel-dir={place}", str(ROOT)]
    subprocess.run(build, check=True, cwd=place)
    (wheel,) = place.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place / "venv")], check=True)
    base = {"base": str(place / "venv"), "platbase": str(place / "venv")}
    paths = {name: Path(sysconfig.get_path(name, "venv", base)) for name in ("purelib", "scripts")}
    borrowed = {sysconfig.get_path(kind) for kind in ("purelib", "platlib")}
    (paths["purelib"] / "borrowed.pth").write_text("\n".join(borrowed))
    into = [*pip, "--python", str(paths["scripts"] / "python"), "install", "--no-index", "--no-deps", str(wheel)]
    subprocess.run(into, check=True, cwd=place)
    (place / "elsewhere").mkdir()
    return Installed(wheel, paths["scripts"], paths["purelib"], place / "elsewhere")


def test_the_wheel_holds_every_file_of_the_package_every_page_and_the_theme(installed):
    names = set(zipfile.ZipFile(installed.wheel).namelist())
    package = {path.relative_to(ROOT).as_posix() for path in (ROOT / "abp").rglob("*") if path.is_file()}
    assert {name for name in package if "__pycache__" not in name} <= names
    pages = [file for section in MENU.values() for file, _, _ in section]
    assert {f"abp/app/{file}" for file in (*pages, "start.py", ".streamlit/config.toml")} <= names
    assert not [name for name in names if "__pycache__" in name or "tests" in name]


def test_what_make_installs_is_what_the_package_says_it_needs():
    from packaging.requirements import Requirement

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {each.name.lower(): each for each in map(Requirement, project["dependencies"])}
    lines = [line.partition("#")[0].strip() for line in (ROOT / "requirements.txt").read_text().splitlines()]
    pinned = {each.name.lower(): each for each in map(Requirement, filter(None, lines))}
    assert pinned.keys() == needed.keys()
    for name, pin in pinned.items():
        (exact,) = pin.specifier
        assert exact.operator == "==" and needed[name].specifier.contains(exact.version), name


def test_python_imports_the_installed_package(installed, tmp_path):
    program = "import abp; from abp import Experiment, Trainer, load_dataset; print(abp.__file__)"
    found = installed.run("python", "-c", program, home=tmp_path)
    assert Path(found.stdout.strip()).is_relative_to(installed.packages)


@pytest.mark.parametrize("abp", [["abp"], ["python", "-m", "abp"]], ids=" ".join)
def test_the_installed_command_trains_and_writes_json(abp, installed, tmp_path):
    options = ("--dataset", "digits", "--hidden", "20,10", "--epochs", 2, "--json", tmp_path / "run.json")
    installed.run(*abp, "train", *options, home=tmp_path)
    result = json.loads((tmp_path / "run.json").read_text())
    assert (result["run"], result["dataset"], result["epochs"]) == (1, "digits", 2)


def test_the_installed_dashboard_has_its_theme_trains_a_network_and_ends_with_control_c(
    installed, tmp_path, visit, monkeypatch
):
    monkeypatch.delenv("PYTHONPATH", raising=False)
    theme = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())["theme"]["light"]
    with serving(tmp_path, abp=[str(installed.programs / "abp")], folder=installed.folder) as dashboard:
        page = visit(f"{dashboard.url}/train", color_scheme="light")
        start = page.get_by_role("button", name="Start training", exact=True)
        expect(start).to_have_css("background-color", rgb(theme["primaryColor"]))
        start.click()
        page.wait_for_url("**/train?run=1")
        expect(page.get_by_text("Running").first).to_be_visible()
        page.close()  # before its server ends, which it would complain about
        dashboard.process.send_signal(signal.SIGINT)
        assert dashboard.process.wait() == 0
        assert "Traceback" not in (tmp_path / "server.log").read_text()


def rgb(colour: str) -> str:
    """A colour such as ``#A84700`` as browsers write it."""
    return f"rgb({', '.join(str(int(colour[at : at + 2], 16)) for at in (1, 3, 5))})"
