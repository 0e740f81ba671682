"""What the command line writes: JSON in files or on standard output, and complaints."""

import json
import os
import sys
from pathlib import Path

from abp.training.experiment import SettingError


def complain(message: str) -> int:
    """Say what is wrong in one line; the exit status."""
    print(f"abp: {message}", file=sys.stderr)
    return 2


def require_file(option: str, name: str) -> None:
    """Complain before the work is done if no file of this name could be written after it."""
    path = Path(name).absolute()
    if not name or path.is_dir():
        raise SettingError(f"{option} must name a file, not {'nothing' if not name else f'the folder {name}'}")
    if not path.parent.is_dir():
        raise SettingError(f"{option} {name}: there is no folder {path.parent}")


def require_json_target(target: str | None) -> None:
    """The same for the option ``--json``, which may also be left out or be ``-`` for standard output."""
    if target not in (None, "-"):
        require_file("--json", target)


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


def write_file(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; a device or a pipe, which nothing can take the place of, is written to.

    Raises
    ------
    OSError
        If it cannot be written; what stood there before still does.
    """
    if path.exists() and not path.is_file():
        path.write_bytes(content)
        return
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
