"""What the command line writes: JSON in files or on standard output."""

import json
import sys
from pathlib import Path

from abp.runs.results_json import write_file
from abp.training.experiment import SettingError


def require_file(option: str, name: str) -> None:
    """Complain before the work is done if no file of this name could be written after it."""
    path = Path(name).absolute()
    if not name or path.is_dir():
        raise SettingError(f"{option} must name a file, not {'nothing' if not name else f'the folder {name}'}")
    if not path.parent.is_dir():
        raise SettingError(f"{option} {name}: there is no folder {path.parent}")


def write_json(target: str | None, content: dict) -> None:
    """Write JSON to a file or, for ``-``, to standard output; to nowhere if there is no target."""
    if target is None:
        return
    text = json.dumps(content, indent=1) + "\n"
    if target == "-":
        sys.stdout.write(text)
        sys.stdout.flush()
    else:
        write_file(Path(target), text.encode())
