"""Targets: each takes one hostile input and must come to nothing worse than a refusal in a sentence.

`tests/hostile/test_hostile.py` gives each a few dozen, the same each time; ``make soak`` gives them 200,000.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import gzip
import io
import json
import os
import sqlite3
import struct
import tempfile
import unicodedata
import warnings
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from PIL import Image
from safetensors.torch import save

from abp.cli import spectra
from abp.cli.options import parser
from abp.dashboard.channel.route import same_origin
from abp.dashboard.components.drawing_pad import ink_of
from abp.dashboard.components.network_flow import neuron_of
from abp.dashboard.frame import links
from abp.dashboard.frame.markdown import literal
from abp.data import idx
from abp.data.drawings import photographed, prepared
from abp.data.own.reading import glance, read_own
from abp.data.own.samples import Options
from abp.data.uploads import UploadUnusable, decoded
from abp.errors import AbpError
from abp.network.mlp import Network
from abp.runs.export import to_onnx
from abp.runs.session.session import _positive
from abp.store import schema
from abp.store.records import checked_name
from abp.store.store import Store
from abp.store.upkeep.checking import check
from abp.studies.specification import Study, preset
from abp.training.experiment import Experiment
from abp.training.randomness import generator
from abp.training.setting import PARSED
from tests.hostile import strategies

Target = Callable[[Any], None]


@contextlib.contextmanager
def refused_in_a_sentence() -> Iterator[None]:
    """Whatever happens inside may be refused by any error for people, of one readable sentence or a few."""
    try:
        yield
    except AbpError as error:
        said = str(error)
        assert said.strip() and len(said) < 4000, f"{len(said)} characters"
        assert "Traceback" not in said
        said.encode("utf-8")  # the pages send it


# Settings, by each way in


def python_settings(given: dict[str, Any]) -> None:
    with refused_in_a_sentence():
        experiment = Experiment(**given)
        assert Experiment.from_json(experiment.to_json()) == experiment
        assert experiment.title and experiment.sizes


def json_settings(text: str) -> None:
    with refused_in_a_sentence():
        Experiment.from_json(text)


def json_study(text: str) -> None:
    with refused_in_a_sentence():
        Study.from_json(text)


def form_text(text: str) -> None:
    for name, parse in PARSED.items():
        with refused_in_a_sentence():
            Experiment(**{name: parse(text)})


def command_line(arguments: list[str]) -> None:
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        code: object = 0
        try:
            parser().parse_args(arguments)
        except SystemExit as end:
            code = end.code
    assert code in (0, 2) and "Traceback" not in said.getvalue()


_COMMANDS = ("train", "continue", "analyse", "spectra", "study", "export", "doctor", "replay", "dashboard", "nonsense")
_OPTIONS = (
    "--hidden",
    "--seed",
    "--epochs",
    "--criterion",
    "--json",
    "--how",
    "--ranks",
    "--amount",
    "--name",
    "--port",
)
_arguments = st.tuples(
    st.sampled_from(_COMMANDS),
    st.lists(
        st.one_of(
            st.sampled_from(_OPTIONS),
            strategies.texts.filter(lambda text: "\x00" not in text),
            strategies.numbers.map(str),
        ),
        max_size=6,
    ),
).map(lambda given: [given[0], *given[1]])


# Names and links


def names(name: str) -> None:
    with refused_in_a_sentence():
        kept = checked_name(name)
        assert 1 <= len(kept) <= 200
        assert not any(unicodedata.category(character) in ("Cc", "Cs") for character in kept)
        assert not set(kept) & set("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
        kept.encode("utf-8")
    shown = literal(name.encode("utf-8", "replace").decode())
    assert "\n" not in shown and "](" not in shown.replace("\\](", "")


def linked_numbers(text: str) -> None:
    class Query(dict):
        pass

    real = links.st.query_params
    links.st.query_params = Query(run=text, study=text)  # type: ignore[assignment]
    try:
        for read in (links.run_from_link, links.study_from_link):
            with refused_in_a_sentence():
                number = read()
                assert number is not None and 1 <= number < 10**15
        with contextlib.suppress(links.LinkInvalid):
            assert 1 <= (links.linked_number("run", 7) or 0) <= 7
    finally:
        links.st.query_params = real  # type: ignore[assignment]


def origins(pair: tuple[str, str]) -> None:
    """A page is of this server only if its origin's host and port are those that it asked for."""

    class Asked:
        headers = {"origin": pair[0], "host": pair[1]}  # noqa: RUF012

    if same_origin(Asked()):  # type: ignore[arg-type]
        assert pair[0].lower().endswith(pair[1].lower())


# What browsers and Python send


def from_a_browser(sent: Any) -> None:
    ink = ink_of(sent)
    assert ink is None or ink.shape == (112, 112)
    neuron = neuron_of(sent, (20, 10))
    assert neuron is None or neuron[1] < 20
    pace = _positive(sent)
    assert pace is None or 0.01 <= pace <= 1000


_sent = st.one_of(
    strategies.values,
    st.binary(max_size=3).map(lambda part: base64.b64encode(part.ljust(3) * (112 * 112 // 3 + 1)).decode()),
    st.integers(0, 2**32).map(lambda seed: base64.b64encode(np.random.default_rng(seed).bytes(112 * 112)).decode()),
    st.characters().map(lambda letter: letter * 16_728),
    st.lists(strategies.numbers, min_size=2, max_size=2),
)


def drawings(shape_and_seed: tuple[int, int, int]) -> None:
    rows, columns, seed = shape_and_seed
    chance = np.random.default_rng(seed)
    ink = chance.random((rows, columns), dtype=np.float32) ** (1 + seed % 40)
    ink[chance.random(ink.shape) < 0.01] = chance.choice([np.nan, np.inf, -np.inf, -1, 1e30])
    for dataset, shape in (("digits", (8, 8)), ("mnist", (28, 28)), ("fashion-mnist", (28, 28))):
        picture = prepared(photographed(ink), dataset)
        assert picture is None or (picture.shape == shape and bool(np.isfinite(picture).all()))


# Files

_IDX = struct.pack(">4B2I", 0, 0, 8, 2, 3, 4) + bytes(range(12))
_BOMB = gzip.compress(bytes(2**25), 9)  # a hundred times as much as MNIST's labels, in 32 kB


def idx_files(contents: bytes) -> None:
    with contextlib.suppress(ValueError):  # which those who read files put into a sentence
        plain = idx.uncompressed(contents)
        array = idx.parse(plain, 2)
        assert array.ndim == 2 and array.nbytes <= len(plain) <= idx.LARGEST


def pictures(contents: bytes) -> None:
    with contextlib.suppress(UploadUnusable):
        picture = decoded(contents)
        assert picture.dtype == np.uint8 and picture.ndim == 2 and max(picture.shape) <= 512


def own_data(given: tuple[str, bytes]) -> None:
    ending, contents = given
    with tempfile.TemporaryDirectory(dir=_shared_memory()) as folder:
        path = Path(folder) / f"data{ending}"
        path.write_bytes(contents)
        with warnings.catch_warnings(), refused_in_a_sentence():
            warnings.simplefilter("ignore")
            glance(path, Options(size=8))
            read_own("hostile", path, Options(size=8))


@functools.cache
def _backup() -> bytes:
    """A backup of one run."""
    with tempfile.TemporaryDirectory(dir=_shared_memory()) as folder:
        store = Store(Path(folder) / "abp.sqlite3")
        store.runs.add(Experiment(hidden=(5,)))
        with store.database.reading() as connection:
            connection.exec_driver_sql("VACUUM INTO ?", (str(Path(folder) / "copy"),))
        store.database.dispose()
        return (Path(folder) / "copy").read_bytes()


def backups(given: tuple[list[tuple[int, bytes]], int | None, tuple[str, str, Any] | None]) -> None:
    """A backup with bytes changed, cut, or with a value of its own."""
    edits, length, forged = given
    contents = bytearray(_backup())
    for place, put in edits:
        contents[place % len(contents) : place % len(contents) + len(put)] = put
    with tempfile.TemporaryDirectory(dir=_shared_memory()) as folder:
        path = Path(folder) / "backup"
        path.write_bytes(contents[:length])
        if forged is not None:
            table, column, value = forged
            with (
                contextlib.closing(sqlite3.connect(path)) as connection,
                contextlib.suppress(sqlite3.Error, UnicodeError),
            ):
                connection.execute(f'UPDATE "{table}" SET "{column}" = ?', (value,))
                connection.commit()
        with refused_in_a_sentence():
            check(path)


def weight_files(given: tuple[str, bytes]) -> None:
    ending, contents = given
    with tempfile.TemporaryDirectory(dir=_shared_memory()) as folder:
        path = Path(folder) / f"w{ending}"
        path.write_bytes(contents)

        class Options:
            file, json = str(path), os.devnull

        with contextlib.redirect_stderr(io.StringIO()), refused_in_a_sentence():
            spectra.run(Options())  # type: ignore[arg-type]


def _shared_memory() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def _png(kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(file, kind)
    return file.getvalue()


def _promised(kind: bytes) -> Callable[[list[int]], bytes]:
    """A PNG's header of any size."""

    def header(sizes: list[int]) -> bytes:
        width, height = (*sizes, 1, 1)[:2]
        return kind + struct.pack(">I4sIIBBBBB", 13, b"IHDR", width % 2**32, height % 2**32, 8, 0, 0, 0, 0)

    return header


def _safetensors_header(sizes: list[int]) -> bytes:
    head = json.dumps(
        {"w": {"dtype": "F32", "shape": sizes, "data_offsets": [0, 4 * int(np.prod(sizes, dtype=float) % 2**62)]}}
    )
    return struct.pack("<Q", len(head)) + head.encode()


def _onnx_promising(sizes: list[int]) -> bytes:
    tensor = onnx.TensorProto(name="w", data_type=onnx.TensorProto.FLOAT, dims=sizes, raw_data=bytes(16))
    node = onnx.helper.make_node("MatMul", ["x", "w"], ["y"])
    return onnx.ModelProto(graph=onnx.GraphProto(node=[node], initializer=[tensor])).SerializeToString()


def _external(location: str) -> bytes:
    """A model that wants the values of a tensor read from some other file."""
    tensor = onnx.TensorProto(name="w", data_type=onnx.TensorProto.FLOAT, dims=[2, 2])
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    node = onnx.helper.make_node("MatMul", ["x", "w"], ["y"])
    return onnx.ModelProto(graph=onnx.GraphProto(node=[node], initializer=[tensor])).SerializeToString()


def _network() -> Network:
    return Network.glorot([4, 3, 2], generator(0, "weights"))


_odd = [
    torch.full((3, 2), float("nan")),
    torch.full((2, 2), float("inf")),
    torch.full((4, 4), 3e38),
    torch.full((2, 3), 1e-45),
    torch.zeros(3, 2),
    torch.zeros(0, 2),
    torch.ones(1, 1),
    torch.ones(3),
    torch.ones(3, 2, dtype=torch.int64),
    torch.ones(2, 2, dtype=torch.bool),
]
_saved = [save(_network().tensors()), *(save({"w": tensor}) for tensor in _odd)]

_weights = st.one_of(
    st.tuples(st.just(".safetensors"), strategies.mutated(_saved)),
    st.tuples(st.just(".safetensors"), strategies.file_with(_safetensors_header)),
    st.tuples(st.just(".onnx"), strategies.mutated([to_onnx(_network())])),
    st.tuples(st.just(".onnx"), strategies.file_with(_onnx_promising)),
    st.tuples(st.just(".onnx"), st.sampled_from(["/etc/passwd", "../w.safetensors", "w.onnx", ""]).map(_external)),
    st.tuples(st.sampled_from([".safetensors", ".onnx", ".pkl"]), st.binary(max_size=200)),
)


def _archive(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, contents in files.items():
            archive.writestr(name, contents)
    return file.getvalue()


def _arrays(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


_COLUMNS = [(table.name, column.name) for table in schema.metadata.sorted_tables for column in table.columns]
_backups = st.tuples(
    st.lists(st.tuples(st.integers(0, 2**24), st.binary(min_size=1, max_size=8)), max_size=3),
    st.one_of(st.none(), st.integers(0, 2**17)),
    st.one_of(
        st.none(),
        st.tuples(
            st.sampled_from(_COLUMNS),
            st.one_of(
                st.none(),
                st.integers(-(2**63), 2**63 - 1),
                st.floats(),
                st.binary(max_size=20),
                strategies.json_texts.map(lambda text: text.encode("utf-8", "replace").decode()),
            ),
        ).map(lambda forged: (*forged[0], forged[1])),
    ),
)

_LABELS = np.arange(24) % 2
_own = st.one_of(
    st.tuples(
        st.just(".zip"),
        strategies.mutated([_archive({f"{label}/{n}.png": _png() for n in range(12) for label in "ab"})]),
    ),
    st.tuples(
        st.just(".npz"),
        strategies.mutated([_arrays(x=np.arange(24.0 * 3).reshape(24, 3), y=_LABELS), _arrays(x=_LABELS)]),
    ),
    st.tuples(
        st.sampled_from([".csv", ".tsv", ".parquet"]),
        strategies.mutated([b"a,b,class\n" + b"".join(b"%d,%d,%d\n" % (n, n * n, n % 2) for n in range(24))]),
    ),
    st.tuples(
        st.just(".csv"),
        st.lists(strategies.texts, min_size=2, max_size=6).map(
            lambda cells: "\n".join(",".join(cells) for _ in range(12)).encode("utf-8", "replace")
        ),
    ),
    st.tuples(st.just("-idx3-ubyte"), strategies.mutated([_IDX])),
)


@dataclass(frozen=True)
class Hostile:
    """A target, what it is given, and its share of all inputs: what is cheap gets more."""

    inputs: SearchStrategy[Any]
    target: Target
    share: float


TARGETS = {
    "settings by Python": Hostile(strategies.given_settings, python_settings, 0.15),
    "settings as JSON": Hostile(strategies.json_texts, json_settings, 0.13),
    "settings by the form": Hostile(strategies.texts, form_text, 0.10),
    "settings on the command line": Hostile(_arguments, command_line, 0.02),
    "studies as JSON": Hostile(
        st.one_of(
            strategies.json_texts,
            strategies.mutated([preset("demo").to_json().encode()]).map(lambda b: b.decode("utf-8", "surrogateescape")),
        ),
        json_study,
        0.05,
    ),
    "names": Hostile(strategies.texts, names, 0.13),
    "links": Hostile(strategies.texts, linked_numbers, 0.10),
    "origins": Hostile(st.tuples(strategies.texts, strategies.texts), origins, 0.05),
    "what a browser sends": Hostile(_sent, from_a_browser, 0.05),
    "drawings": Hostile(st.tuples(st.integers(1, 60), st.integers(1, 60), st.integers(0, 2**32)), drawings, 0.01),
    "IDX files": Hostile(
        st.one_of(
            strategies.mutated([_IDX, gzip.compress(_IDX), _BOMB]),
            strategies.file_with(lambda sizes: struct.pack(f">4B{len(sizes)}I", 0, 0, 8, len(sizes), *sizes)),
            st.binary(max_size=64),
        ),
        idx_files,
        0.10,
    ),
    "pictures": Hostile(
        st.one_of(
            strategies.mutated([_png(), _png("JPEG"), _png("GIF"), _png("BMP")]),
            strategies.file_with(_promised(b"\x89PNG\r\n\x1a\n")),
            st.binary(max_size=64),
        ),
        pictures,
        0.05,
    ),
    "weight files": Hostile(_weights, weight_files, 0.02),
    "data of one's own": Hostile(_own, own_data, 0.01),
    "backups": Hostile(_backups, backups, 0.01),
}
