"""Where the files of MNIST and Fashion-MNIST come from: the user's own folder, the cache, or a download.

Whatever the source, no byte is used before the file has the official checksum.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pooch
import requests
from tqdm import tqdm

from abp.data import DataUnavailable, Progress, idx
from abp.home import home

MIRRORS = {
    "mnist": "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "fashion-mnist": "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
}

# MD5 of the uncompressed files, as their authors publish them: compression may differ from copy to copy.
CHECKSUMS = {
    "mnist": {
        "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
        "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    },
    "fashion-mnist": {
        "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
        "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
        "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
    },
}

PAUSES = (1.0, 2.0, 4.0)  # seconds before each new attempt
TIMEOUT = (10.0, 60.0)  # seconds: to connect, and between two pieces of data
CHUNK = 2**18  # bytes between two reports of progress
ABANDONED = 24 * 3600  # seconds after which a part that nobody writes to is swept away


def obtain(dataset: str, file: str, *, dimensions: int, progress: Progress = None, download: bool = True) -> np.ndarray:
    """Return the array in one official file, from the first place that has it.

    The places are ``ABP_DATA_DIR/<dataset>/``, the cache ``<home>/data/<dataset>/`` and the official mirror,
    which fills the cache. In the folders the file may be gzipped (``.gz``) or not. A bad file in the cache is
    removed and downloaded again; a bad file in ``ABP_DATA_DIR`` is reported and left alone.

    Parameters
    ----------
    dataset : str
        A key of `CHECKSUMS`.
    file : str
        The official file name without ``.gz``.
    dimensions : int
        How many dimensions the array must have.
    progress : callable, True or None
        Called during a download as ``progress(file name, bytes so far, bytes in all)``; the last is 0 where
        the mirror does not tell. True draws a bar, where there is a terminal.
    download : bool
        Whether the mirror may be asked.

    Returns
    -------
    numpy.ndarray
        uint8, read-only, `dimensions`-dimensional.

    Raises
    ------
    DataUnavailable
        If the file is nowhere to be had, damaged, or cannot be saved.
    abp.home.HomeUnusable
        If the cache is needed and the home folder cannot be used.
    """
    for path, contents in _present(_own_folder(dataset), file):
        try:
            return _checked(contents, dataset, file, dimensions)
        except ValueError as error:
            raise DataUnavailable(_bad_copy(path, dataset, file, error)) from None
    for path, contents in _present(_cache(dataset), file):
        try:
            return _checked(contents, dataset, file, dimensions)
        except ValueError:
            with contextlib.suppress(OSError):  # if it cannot be removed, saving its successor tells why
                path.unlink()
    if not download:
        raise DataUnavailable(
            f"{file} of {dataset} is not on this machine. Training a run on {dataset} downloads it; or set "
            f"ABP_DATA_DIR to a folder that holds {dataset}/{file}.gz."
        )
    return _download(dataset, file, dimensions, progress)


def _own_folder(dataset: str) -> Path | None:
    named = os.environ.get("ABP_DATA_DIR")
    return Path(named).expanduser().absolute() / dataset if named else None


def _cache(dataset: str) -> Path:
    return home() / "data" / dataset


def _present(folder: Path | None, file: str) -> Iterator[tuple[Path, bytes]]:
    """Yield path and contents of each copy of `file` in `folder`."""
    if folder is None:
        return
    for path in (folder / file, folder / f"{file}.gz"):
        try:
            contents = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            continue  # found by trying, not by asking first: another process may remove it in between
        except OSError as error:
            raise DataUnavailable(
                f"{path} cannot be read: {error.strerror}. Make it a readable file or move it away, and try again."
            ) from error
        yield path, contents


def _checked(contents: bytes, dataset: str, file: str, dimensions: int) -> np.ndarray:
    """Return the array in `contents`, or raise ValueError saying what is wrong with them."""
    plain = idx.uncompressed(contents)
    array = idx.parse(plain, dimensions)  # before the checksum: its complaints say more
    found, official = hashlib.md5(plain, usedforsecurity=False).hexdigest(), CHECKSUMS[dataset][file]
    if found != official:
        raise ValueError(f"its uncompressed MD5 is {found}, the official one is {official}")
    return array


def _download(dataset: str, file: str, dimensions: int, progress: Progress) -> np.ndarray:
    """Download `file` into the cache and return its array."""
    folder, url = _cache(dataset), f"{MIRRORS[dataset]}{file}.gz"
    # A name of its own for each download: two processes never write to one file, and the last one to rename
    # replaces good data by the same good data.
    part = folder / f"{file}.gz.{uuid.uuid4().hex}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        _fetch(url, part, file, progress)
        try:
            array = _checked(part.read_bytes(), dataset, file, dimensions)
        except ValueError as error:
            raise DataUnavailable(_no_download(url, dataset, f"what arrived is bad: {error}")) from None
        os.replace(part, folder / f"{file}.gz")
        return array
    except requests.RequestException as error:  # before OSError, which it is a kind of
        raise DataUnavailable(_no_download(url, dataset, _reason(error))) from error
    except OSError as error:
        raise DataUnavailable(
            f"{url} could not be saved in {folder}: {error.strerror}. Make room there, or set ABP_HOME "
            "to a writable folder on another disk, and try again. The digits data needs no download."
        ) from error
    finally:
        with contextlib.suppress(OSError):  # moved into place, or never created
            part.unlink()


def _sweep(folder: Path) -> None:
    """Remove partial files that killed processes left long ago."""
    for part in folder.glob("*.part"):
        try:
            if time.time() - part.stat().st_mtime > ABANDONED:
                part.unlink()
        except FileNotFoundError:  # another process was faster
            continue


def _fetch(url: str, target: Path, file: str, progress: Progress) -> None:
    """Write the response of `url` to `target`, with retries where they may help."""
    for pause in (*PAUSES, None):
        bar = _bar(file, progress)
        fetch = pooch.HTTPDownloader(progressbar=bar or False, chunk_size=CHUNK, timeout=TIMEOUT)
        try:
            return fetch(url, str(target), None)
        except requests.RequestException as error:
            if pause is None or not _passing(error):
                raise
        finally:
            if bar is not None:
                bar.close()
        time.sleep(pause)


def _passing(error: requests.RequestException) -> bool:
    """Whether the same request may succeed if it is sent again later."""
    if error.response is not None:
        return error.response.status_code >= 500 or error.response.status_code == 429
    cut = requests.exceptions.ChunkedEncodingError
    return isinstance(error, (requests.ConnectionError, requests.Timeout, cut))


class _Reports:
    """The part of tqdm's interface that pooch uses, passed on to a progress callback."""

    def __init__(self, file: str, report: Callable[[str, int, int], None]) -> None:
        self.file, self.report, self.total, self.done = file, report, 0, 0

    def update(self, more: int) -> None:
        # Pooch counts whole chunks, so that its sum may pass the total.
        self.done = min(self.done + more, self.total) if self.total else self.done + more
        self.report(self.file, self.done, self.total)

    def reset(self) -> None:
        self.done = 0

    def close(self) -> None:
        pass


def _bar(file: str, progress: Progress) -> _Reports | tqdm | None:
    if callable(progress):
        return _Reports(file, progress)
    # disable=None: drawn on a terminal only. total=1 until pooch sets it: tqdm has no truth value else.
    return tqdm(desc=file, total=1, unit="B", unit_scale=True, disable=None) if progress else None


def _reason(error: requests.RequestException) -> str:
    if error.response is not None:
        return f"the server answered {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection was cut before the end"
    if isinstance(error, requests.Timeout):
        return "the server did not answer in time"
    if isinstance(error, requests.ConnectionError):
        return "no connection to the server"
    return str(error)


def _no_download(url: str, dataset: str, why: str) -> str:
    files = ", ".join(f"{file}.gz" for file in CHECKSUMS[dataset])
    own = _own_folder(dataset) or f"the folder {dataset} inside the folder that ABP_DATA_DIR names"
    return (
        f"The {dataset} data could not be downloaded from {url}: {why}. Check the network connection and try "
        f"again, or put these four files into {_cache(dataset)} or into {own}: {files} "
        "(unpacked, without .gz, will do too). "
        "The digits data needs no download."
    )


def _bad_copy(path: Path, dataset: str, file: str, why: ValueError) -> str:
    return (
        f"{path} is not the official {dataset} file: {why}. Replace it by {MIRRORS[dataset]}{file}.gz, "
        "or remove it (or unset ABP_DATA_DIR) to have it downloaded. The digits data needs no download."
    )
