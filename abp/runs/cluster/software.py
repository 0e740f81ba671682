"""What must be the same wherever a study's runs are trained, so that the same settings give the same bits."""

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


@cache
def software() -> str:
    """Versions of ABP Lab, PyTorch and Python, as one name."""
    try:
        abp = version("abp-lab")
    except PackageNotFoundError:  # run from a checkout
        abp = _checkout_version()
    torch, python = version("torch").partition("+")[0], ".".join(platform.python_version_tuple()[:2])
    return f"abp {abp}, PyTorch {torch}, Python {python}"


@cache
def processor() -> str:
    """The kind of this machine's processor, and which of its instructions PyTorch uses."""
    import torch

    return f"{_model()} ({platform.machine()}, {torch.backends.cpu.get_cpu_capability()})"[:200]


def _checkout_version() -> str:
    import tomllib

    project = Path(__file__).resolve().parents[3] / "pyproject.toml"
    return str(tomllib.loads(project.read_text())["project"]["version"]) if project.is_file() else "unknown"


def _model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    found = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(found, platform.processor() or "unknown processor")
