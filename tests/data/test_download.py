from __future__ import annotations

import contextlib
import errno
import gzip
import hashlib
import json
import os
import re
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pooch
import pytest
import torch

from abp.data import download
from abp.data.datasets import DataUnavailable, load_dataset, load_test_set
from abp.home import HomeUnusable, home
from tests.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
TRAIN_IMAGES = "train-images-idx3-ubyte"


def official_files() -> dict[str, bytes]:
    """Return a small set in place of the official one: uncompressed files by name."""
    draw = np.random.default_rng(0).integers

    def as_idx(*shape: int, below: int) -> bytes:
        elements = draw(below, size=shape, dtype=np.uint8)
        return struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape) + elements.tobytes()

    return {
        TRAIN_IMAGES: as_idx(20, 28, 28, below=256),
        "train-labels-idx1-ubyte": as_idx(20, below=10),
        "t10k-images-idx3-ubyte": as_idx(10, 28, 28, below=256),
        "t10k-labels-idx1-ubyte": as_idx(10, below=10),
    }


FILES = official_files()
CHECKSUMS = {file: hashlib.md5(plain).hexdigest() for file, plain in FILES.items()}


class Mirror:
    """A web server with the small set: it notes the requests and meets the first ones with `faults`."""

    def __init__(self) -> None:
        self.files = {f"{file}.gz": gzip.compress(plain) for file, plain in FILES.items()}
        self.requests: list[str] = []
        self.faults: list[Callable[[BaseHTTPRequestHandler, bytes], None]] = []
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                file = self.path.rpartition("/")[2]
                mirror.requests.append(file)
                answer = mirror.faults.pop(0) if mirror.faults else send
                with contextlib.suppress(ConnectionError):  # the client may be gone
                    answer(self, mirror.files[file])

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/mnist/"


def send(handler: BaseHTTPRequestHandler, body: bytes, sent: int | None = None) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body[:sent])


def send_half(handler: BaseHTTPRequestHandler, body: bytes) -> None:
    send(handler, body, sent=len(body) // 2)


def send_without_length(handler: BaseHTTPRequestHandler, body: bytes) -> None:
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(body)


def status(code: int) -> Callable[[BaseHTTPRequestHandler, bytes], None]:
    return lambda handler, body: handler.send_error(code)


@pytest.fixture
def mirror(monkeypatch, tmp_path) -> Iterator[Mirror]:
    mirror = Mirror()
    thread = threading.Thread(target=mirror.server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv("ABP_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("ABP_DATA_DIR", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setitem(download.MIRRORS, "mnist", mirror.url)
    monkeypatch.setitem(download.CHECKSUMS, "mnist", CHECKSUMS)
    monkeypatch.setattr(download, "PAUSES", (0.0, 0.0, 0.0))
    yield mirror
    mirror.server.shutdown()
    mirror.server.server_close()
    thread.join()


@pytest.fixture
def cache(tmp_path) -> Path:
    return tmp_path / "home" / "data" / "mnist"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def obtain_train_images() -> np.ndarray:
    return download.obtain("mnist", TRAIN_IMAGES, dimensions=3)


def assert_train_images(array: np.ndarray) -> None:
    assert array.shape == (20, 28, 28)
    assert array.tobytes() == FILES[TRAIN_IMAGES][16:]


# The good days


def test_the_test_samples_alone_are_read_from_what_is_here_and_never_downloaded(mirror, cache):
    with pytest.raises(DataUnavailable, match="not on this machine.*ABP_DATA_DIR"):
        load_test_set("mnist", download=False)
    assert mirror.requests == []
    whole = load_dataset("mnist")
    mirror.requests.clear()
    x, y = load_test_set("mnist", download=False)
    assert mirror.requests == []
    assert torch.equal(x, whole.test_x) and torch.equal(y, whole.test_y)


def test_the_first_load_downloads_four_files_and_the_second_makes_no_request(mirror, cache):
    first = load_dataset("mnist")
    assert sorted(mirror.requests) == names(cache) == sorted(mirror.files)

    mirror.requests.clear()
    second = load_dataset("mnist")
    assert mirror.requests == []
    assert first.train_x.equal(second.train_x)
    assert first.test_y.equal(second.test_y)


def test_a_downloaded_picture_holds_the_pixels_on_the_mirror(mirror):
    data = load_dataset("mnist")
    pixels = np.concatenate([data.valid_x, data.train_x]) * 255
    assert pixels.round().astype(np.uint8).tobytes() == FILES[TRAIN_IMAGES][16:]
    assert (len(data.valid_x), len(data.train_x), len(data.test_x)) == (2, 18, 10)


def test_progress_rises_to_the_size_of_each_file(mirror, monkeypatch):
    monkeypatch.setattr(download, "CHUNK", 1000)
    reports: dict[str, list[tuple[int, int]]] = {}
    load_dataset("mnist", progress=lambda file, done, total: reports.setdefault(file, []).append((done, total)))
    assert reports.keys() == FILES.keys()
    for file, steps in reports.items():
        size = len(mirror.files[f"{file}.gz"])
        assert {total for _, total in steps} == {size}
        assert [done for done, _ in steps] == sorted(done for done, _ in steps)
        assert steps[-1] == (size, size)


def test_a_bar_may_be_asked_for_where_there_is_no_terminal(mirror, capsys):
    load_dataset("mnist", progress=True)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("progress", [None, True, lambda file, done, total: None])
def test_a_mirror_that_does_not_tell_the_size_will_do(mirror, progress):
    mirror.faults = [send_without_length] * 4
    assert len(load_dataset("mnist", progress=progress).test_x) == 10


def test_files_that_the_mirror_has_unpacked_will_do(mirror):
    mirror.files = {f"{file}.gz": plain for file, plain in FILES.items()}
    load_dataset("mnist")
    load_dataset("mnist")
    assert len(mirror.requests) == 4


# Where the files come from


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_files_of_the_user_are_read_without_a_request_or_a_cache(mirror, tmp_path, monkeypatch, ending):
    folder = tmp_path / "own" / "mnist"
    folder.mkdir(parents=True)
    for file, plain in FILES.items():
        (folder / f"{file}{ending}").write_bytes(gzip.compress(plain) if ending else plain)
    monkeypatch.setenv("ABP_DATA_DIR", str(tmp_path / "own"))
    assert len(load_dataset("mnist").test_x) == 10
    assert mirror.requests == []
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("folder", ["missing", "empty"])
def test_a_user_folder_without_the_files_does_not_stop_the_download(mirror, tmp_path, monkeypatch, folder):
    (tmp_path / "empty" / "mnist").mkdir(parents=True)
    monkeypatch.setenv("ABP_DATA_DIR", str(tmp_path / folder))
    load_dataset("mnist")
    assert len(mirror.requests) == 4


@pytest.mark.parametrize("name", [TRAIN_IMAGES, f"{TRAIN_IMAGES}.gz"])
def test_a_bad_file_in_the_cache_is_removed_and_downloaded_again(mirror, cache, name):
    cache.mkdir(parents=True)
    (cache / name).write_bytes(mirror.files[f"{TRAIN_IMAGES}.gz"][:-1])
    assert_train_images(obtain_train_images())
    assert mirror.requests == names(cache) == [f"{TRAIN_IMAGES}.gz"]


# The bad days


def test_a_wrong_checksum_is_reported_and_nothing_is_kept(mirror, cache):
    plain = FILES[TRAIN_IMAGES]
    mirror.files[f"{TRAIN_IMAGES}.gz"] = gzip.compress(plain[:-1] + bytes([plain[-1] ^ 1]))
    with pytest.raises(DataUnavailable, match=f"{TRAIN_IMAGES}.gz: what arrived is bad: .*MD5"):
        load_dataset("mnist")
    assert names(cache) == []


def test_a_connection_that_is_always_cut_is_reported_and_nothing_is_kept(mirror, cache):
    mirror.faults = [send_half] * 100
    with pytest.raises(DataUnavailable, match="the connection was cut"):
        load_dataset("mnist")
    assert len(mirror.requests) == 1 + len(download.PAUSES)
    assert names(cache) == []


def test_a_download_succeeds_after_two_failures(mirror, cache):
    mirror.faults = [status(503), send_half]
    assert_train_images(obtain_train_images())
    assert len(mirror.requests) == 3
    assert names(cache) == [f"{TRAIN_IMAGES}.gz"]


def test_a_file_that_the_mirror_lacks_is_asked_for_once(mirror):
    mirror.faults = [status(404)]
    with pytest.raises(DataUnavailable, match="the server answered 404 Not Found"):
        load_dataset("mnist")
    assert len(mirror.requests) == 1


def test_without_a_server_the_message_says_which_files_to_put_where(mirror, cache, monkeypatch):
    monkeypatch.setitem(download.MIRRORS, "mnist", unused_url())
    with pytest.raises(DataUnavailable) as caught:
        load_dataset("mnist")
    message = str(caught.value)
    assert all(f"{file}.gz" in message for file in FILES)
    assert f"into {cache} " in message
    assert "ABP_DATA_DIR" in message
    assert "digits data needs no download" in message


def test_without_a_server_the_message_names_the_folder_of_the_user(mirror, tmp_path, monkeypatch):
    monkeypatch.setitem(download.MIRRORS, "mnist", unused_url())
    monkeypatch.setenv("ABP_DATA_DIR", str(tmp_path / "own"))
    with pytest.raises(DataUnavailable, match=re.escape(str(tmp_path / "own" / "mnist"))):
        load_dataset("mnist")


def unused_url() -> str:
    """Return the address of a server that is gone."""
    gone = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    gone.server_close()
    return f"http://127.0.0.1:{gone.server_port}/"


def test_a_full_disk_is_reported_and_nothing_is_kept(mirror, cache, monkeypatch):
    def fill(self, url: str, output_file: str, pooch: None) -> None:
        Path(output_file).write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", fill)
    with pytest.raises(DataUnavailable, match=f"{re.escape(str(cache))}: No space left on device. Make room"):
        load_dataset("mnist")
    assert names(cache) == []


def test_a_cache_that_cannot_be_created_is_reported(mirror, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "data").write_text("a file where a folder should be")
    with pytest.raises(DataUnavailable, match="could not be saved in .*ABP_HOME"):
        load_dataset("mnist")


def test_a_caller_who_breaks_off_in_mid_download_leaves_nothing_behind(mirror, cache):
    def break_off(file: str, done: int, total: int) -> None:
        raise ValueError("enough")

    with pytest.raises(ValueError, match="^enough$"):
        load_dataset("mnist", progress=break_off)
    assert names(cache) == []


def test_parts_left_long_ago_are_swept_and_young_ones_left_alone(mirror, cache):
    cache.mkdir(parents=True)
    for name in ("old.part", "young.part"):
        (cache / name).write_bytes(b"half")
    os.utime(cache / "old.part", (0, 0))
    obtain_train_images()
    assert names(cache) == [f"{TRAIN_IMAGES}.gz", "young.part"]


# Other processes

CHILD = """
import json, sys
from abp.data import download
download.MIRRORS["mnist"], download.CHECKSUMS["mnist"], file = json.loads(sys.argv[1])
print(download.obtain("mnist", file, dimensions=3).tobytes().hex())
"""


def start_child(mirror: Mirror) -> subprocess.Popen[str]:
    """Start another process that obtains the training pictures with the same home and mirror."""
    arguments = json.dumps([mirror.url, CHECKSUMS, TRAIN_IMAGES])
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_the_half_file_of_a_killed_process_is_not_taken_for_data(mirror, cache):
    half_sent, killed = threading.Event(), threading.Event()

    def stall(handler: BaseHTTPRequestHandler, body: bytes) -> None:
        send_half(handler, body)
        half_sent.set()
        killed.wait(PATIENCE)

    mirror.faults = [stall]
    with start_child(mirror) as child:
        assert half_sent.wait(PATIENCE)
        child.kill()
    killed.set()
    (half,) = cache.iterdir()
    assert half.name not in (TRAIN_IMAGES, f"{TRAIN_IMAGES}.gz")

    assert_train_images(obtain_train_images())
    assert len(mirror.requests) == 2


def test_two_processes_that_download_at_the_same_time_both_succeed(mirror, cache):
    both_asked = threading.Barrier(2, timeout=PATIENCE)
    both_half_way = threading.Barrier(2, timeout=PATIENCE)

    def in_step(handler: BaseHTTPRequestHandler, body: bytes) -> None:
        both_asked.wait()
        send_half(handler, body)
        both_half_way.wait()
        handler.wfile.write(body[len(body) // 2 :])

    mirror.faults = [in_step, in_step]
    with start_child(mirror) as one, start_child(mirror) as other:
        answers = [child.communicate(timeout=PATIENCE)[0].strip() for child in (one, other)]
    assert answers == [FILES[TRAIN_IMAGES][16:].hex()] * 2
    assert names(cache) == [f"{TRAIN_IMAGES}.gz"]
    assert len(mirror.requests) == 2


# The home folder, under which the cache lies


def test_the_home_folder_is_the_one_named_and_is_created(tmp_path, monkeypatch):
    monkeypatch.setenv("ABP_HOME", str(tmp_path / "a" / "b"))
    assert home() == tmp_path / "a" / "b"
    assert home().is_dir()


def test_a_relative_home_folder_is_made_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ABP_HOME", "here")
    assert home() == tmp_path / "here"


def test_without_abp_home_the_home_folder_is_the_users_data_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("ABP_HOME", raising=False)
    monkeypatch.setattr("abp.home.user_data_path", lambda name: tmp_path / name)
    assert home() == tmp_path / "abp-lab"
    assert home().is_dir()


@pytest.mark.parametrize("path", ["file", "file/below"])
def test_a_home_that_cannot_be_a_folder_is_refused_by_name(tmp_path, monkeypatch, path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ABP_HOME", str(tmp_path / path))
    with pytest.raises(HomeUnusable, match=f"{re.escape(str(tmp_path / path))}: it .*Set .* ABP_HOME to"):
        home()


def test_a_home_that_cannot_be_written_to_is_refused_by_name(tmp_path, monkeypatch):
    monkeypatch.setenv("ABP_HOME", str(tmp_path))
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # the superuser may write anywhere
    with pytest.raises(HomeUnusable, match=f"{re.escape(str(tmp_path))}: it cannot be written to"):
        home()
