"""Folders and zip files alike: names and contents of the files in them, read one at a time and never unpacked."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from abp.data.own.limits import PICTURE_BYTES, SAMPLES, UNPACKED_BYTES, BadData, check_size

_MOST_FILES = 2 * SAMPLES[1]


@dataclass(frozen=True)
class Archive:
    """The files of a folder or a zip.

    Attributes
    ----------
    path
        The folder or the zip.
    names
        Of its files, parts joined by ``/``, in the natural order; without hidden ones.
    """

    path: Path
    names: tuple[str, ...]
    _zip: zipfile.ZipFile | None

    def read(self, name: str, most: int = PICTURE_BYTES) -> bytes:
        """The contents of one file.

        Raises
        ------
        BadData
            If it holds more than `most` bytes, whatever the zip announces, or is damaged.
        """
        try:
            opened = self._zip.open(name) if self._zip else (self.path / name).open("rb")
            with opened as file:
                contents = file.read(most + 1)
        except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, EOFError) as error:
            raise BadData(f"{name} cannot be read: {error}.") from None
        except Exception as error:  # zlib's and lzma's own
            raise BadData(f"{name} cannot be read: its compressed contents are damaged ({error}).") from None
        if len(contents) > most:
            raise BadData(f"{name} has more than {most / 2**20:,.0f} MB.")
        return contents


@contextmanager
def opened(path: Path) -> Iterator[Archive]:
    """A folder or zip, its table of contents checked before anything is read.

    Raises
    ------
    BadData
        If the zip is damaged or encrypted, names places outside it, or announces more than can be taken.
    """
    if path.is_dir():
        yield Archive(path, tuple(_visible(_files(path))), None)
        return
    check_size(path.stat().st_size, path.name)
    try:
        file = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise BadData(f"{path.name} cannot be read as a zip file: {error}. Make the zip again.") from None
    with file:
        # Not `is_dir`, which fails for an empty name.
        entries = [entry for entry in file.infolist() if not entry.filename.endswith("/")]
        _check(path.name, entries)
        yield Archive(path, tuple(_visible(entry.filename for entry in entries)), file)


def _files(folder: Path) -> list[str]:
    found = []
    for file in folder.rglob("*"):
        if file.is_file():
            found.append(file.relative_to(folder).as_posix())
            if len(found) > _MOST_FILES:
                raise BadData(f"The folder {folder} holds more than {_MOST_FILES:,} files. Name a smaller one.")
    return found


def _check(name: str, entries: list[zipfile.ZipInfo]) -> None:
    """Refuse a zip by its table of contents."""
    if len(entries) > _MOST_FILES:
        raise BadData(f"{name} holds {len(entries):,} files; at most {_MOST_FILES:,} can be read.")
    for entry in entries:
        place = PurePosixPath(entry.filename.replace("\\", "/"))
        if not place.parts:
            raise BadData(f"{name} holds a file without a name. Make the zip again from a folder.")
        if place.is_absolute() or ".." in place.parts or ":" in place.parts[0]:
            raise BadData(
                f"{name} holds the path {entry.filename!r}, which leads out of it. Make the zip again from a folder."
            )
        if entry.flag_bits & 1:
            raise BadData(f"{name} is encrypted. Make the zip again without a password.")
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > UNPACKED_BYTES:
        raise BadData(
            f"{name} unpacks to {unpacked / 2**20:,.0f} MB; at most {UNPACKED_BYTES // 2**20:,} MB can be read. Leave "
            "out some of its files, or make its pictures smaller."
        )


def _visible(names: Iterator[str] | list[str]) -> list[str]:
    """Names without what systems add, such as ``__MACOSX`` and ``.DS_Store``, in the natural order."""
    hidden = ("__MACOSX", "Thumbs.db", "desktop.ini")
    kept = [
        name for name in names if not any(part.startswith(".") or part in hidden for part in PurePosixPath(name).parts)
    ]
    return sorted(kept, key=natural)


def natural(name: str) -> list[tuple[int, str]]:
    """A key that sorts numbers within names as numbers.

    >>> sorted(["10", "9", "a10", "a9"], key=natural)
    ['9', '10', 'a9', 'a10']
    """
    return [(int(part), "") if part.isdecimal() else (2**63, part) for part in re.split(r"(\d+)", name) if part]
