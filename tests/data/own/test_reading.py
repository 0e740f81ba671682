"""People's own files: read, checked, split and prepared as an independent computation says."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.preprocessing import StandardScaler

import abp
from abp.data.datasets import DATASETS, load_dataset
from abp.data.own import limits
from abp.data.own.columns import inputs_of, table_of
from abp.data.own.limits import BadData
from abp.data.own.reading import glance, kind_of, read_own
from abp.data.own.samples import Options
from tests.data.own.files import CLASSES, drawing, drawings, png, table, zipped


def parts_of(own) -> dict[str, np.ndarray]:
    ends = np.cumsum([own.samples["valid"], own.samples["train"], own.samples["test"]])
    return dict(zip(("valid", "train", "test"), np.split(np.arange(len(own.y)), ends[:-1]), strict=True))


def test_a_zip_and_the_folder_it_was_made_of_are_the_same_bytes(tmp_path):
    files = {f"shapes/{name}": contents for name, contents in drawings(8).items()}
    extra = {"__MACOSX/shapes/circle/._0.png": b"\0", "shapes/.DS_Store": b"\0"}
    archive = zipped(tmp_path / "shapes.zip", {**files, **extra})
    for name, contents in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(contents)
    own, same = read_own("shapes", archive, Options()), read_own("shapes", tmp_path / "shapes", Options())
    assert own.key == same.key and own.packed == same.packed and own.notes["refused"] == []
    assert own.class_names == CLASSES and own.image_shape == (28, 28) and own.x.dtype == np.uint8
    assert own.samples == {"train": 17, "valid": 2, "test": 5}
    whole = np.asarray(drawing("circle", 0).resize((28, 28), Image.Resampling.BOX)).ravel()
    assert any((row == whole).all() for row in own.x[own.y == 0])
    assert own.notes["ink"] == "dark"
    assert read_own("shapes", archive, Options(seed=1)).key != own.key


def test_parts_are_drawn_evenly_and_folders_may_give_them(tmp_path):
    own = read_own("shapes", zipped(tmp_path / "a.zip", drawings(20)), Options())
    counts = {part: np.bincount(own.y[places]).tolist() for part, places in parts_of(own).items()}
    assert counts["test"] == [4, 4, 4] and sorted(counts["valid"]) == [1, 2, 2] and sum(counts["train"]) == 43
    given = {f"{'test' if int(name.split('/')[1][:-4]) < 5 else 'train'}/{name}": c for name, c in drawings(10).items()}
    given_own = read_own("given", zipped(tmp_path / "b.zip", given), Options())
    assert given_own.samples == {"train": 13, "valid": 2, "test": 15} and given_own.notes["given"] == ["test", "train"]


def test_pictures_keep_colours_transparency_and_inversion(tmp_path):
    coloured = {f"{name}/{n}.png": png(Image.new("RGB", (9, 5), (250, 10 * n, 0))) for name in "ab" for n in range(6)}
    clear = io.BytesIO()
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(clear, "PNG")
    path = zipped(tmp_path / "c.zip", {**coloured, "a/clear.png": clear.getvalue()})
    own = read_own("colours", path, Options(size=8, colour=True))
    assert own.image_shape == (8, 8, 3) and own.x.shape[1] == 192
    assert (own.x.reshape(-1, 3).max(axis=0) == 255).all()  # what is transparent is white
    dark = read_own("colours", path, Options(size=8, invert=True))
    assert (dark.x == 0).all(axis=1).sum() == 1


def test_a_table_is_standardised_on_its_training_part_and_can_be_read_back(tmp_path):
    path = tmp_path / "flowers.csv"
    path.write_text(table())
    own = read_own("flowers", path, Options())
    frame, parts = pd.read_csv(path), parts_of(own)
    assert own.class_names == ("iris", "lily", "rose") and own.image_shape is None
    assert [column.name for column in own.columns] == ["length", "width", "colour: blue", "colour: red"]
    back = table_of(own.columns, own.x)
    merged = back.assign(species=[own.class_names[label] for label in own.y])
    by = ["length", "width"]
    pd.testing.assert_frame_equal(
        merged.sort_values(by, ignore_index=True),
        frame.sort_values(by, ignore_index=True),
        check_dtype=False,
        rtol=1e-4,
    )
    scaler = StandardScaler().fit(back.loc[parts["train"], by])
    np.testing.assert_allclose(own.x[:, :2], scaler.transform(back[by]), atol=1e-3)
    np.testing.assert_allclose(inputs_of(own.columns, back.iloc[3].to_dict()), own.x[3], atol=1e-4)
    parquet = tmp_path / "flowers.parquet"
    frame.to_parquet(parquet)
    assert read_own("flowers", parquet, Options()).key == own.key
    narrower = read_own("flowers", path, Options(leave_out=("colour", "width")))
    assert narrower.x.shape == (60, 1)
    assert glance(path, Options()).label == "species"


def test_pixels_in_columns_arrays_and_idx_files_are_the_same_pictures(tmp_path):
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (40, 9, 9), dtype=np.uint8), np.arange(40) % 4
    np.savez(tmp_path / "a.npz", x=x, y=y)
    rows = [
        "label," + ",".join(f"p{i}" for i in range(81)),
        *(f"{k}," + ",".join(map(str, p.ravel())) for k, p in zip(y, x, strict=True)),
    ]
    (tmp_path / "a.csv").write_text("\n".join(rows))
    (tmp_path / "idx").mkdir()
    pictures = struct.pack(">4I", 0x803, 40, 9, 9) + x.tobytes()
    (tmp_path / "idx" / "images-idx3-ubyte.gz").write_bytes(gzip.compress(pictures))
    (tmp_path / "idx" / "labels-idx1-ubyte").write_bytes(struct.pack(">2I", 0x801, 40) + y.astype(np.uint8).tobytes())
    keys = {read_own("same", tmp_path / name, Options()).key for name in ("a.npz", "a.csv", "idx")}
    assert len(keys) == 1
    assert read_own("same", tmp_path / "idx" / "images-idx3-ubyte.gz", Options()).key in keys
    np.savez(tmp_path / "b.npz", x_train=x[:30], y_train=y[:30], x_test=x[30:], y_test=y[30:])
    assert read_own("parts", tmp_path / "b.npz", Options()).samples == {"train": 27, "valid": 3, "test": 10}


def refusal(path, **options) -> str:
    with pytest.raises(BadData) as caught:
        read_own("bad", path, Options(**options))
    sentence = str(caught.value)
    assert "\n" not in sentence and sentence.endswith((".", "?"))
    return sentence


def test_bad_tables_are_refused_with_the_place_and_the_way_out(tmp_path):
    path = tmp_path / "bad.csv"

    def csv(text: str) -> str:
        path.write_text(text)
        return refusal(path)

    good = table().splitlines()
    assert "Row 2, column 'width' is empty" in csv("\n".join([*good[:2], "1.0,,red,lily", *good[3:]]))
    assert "No column is named like a label" in csv(table().replace("species", "weight"))
    assert "holds 1.5" in csv("a,label\n" + "\n".join(f"{n},{n % 2 + 0.5}" for n in range(1, 40)))
    assert "'note' is text" in csv("a,note,label\n" + "\n".join(f"{n},words {n},{n % 2}" for n in range(40)))
    assert "All samples are of one class, '1'" in csv("a,label\n" + "\n".join(f"{n},1" for n in range(40)))
    assert "has 1 sample;" in csv("a,label\n" + "\n".join(f"{n},{int(n > 0)}" for n in range(40)))
    assert "is infinite" in csv("a,label\n" + "\n".join(f"{'inf' if n == 7 else n},{n % 2}" for n in range(40)))
    assert "There are 5 samples" in csv("a,label\n" + "\n".join(f"{n},{n % 2}" for n in range(5)))
    assert "cannot be read as CSV" in csv("")
    path.write_bytes(b"\xff\xfe\xff label")
    assert "UTF-8" in refusal(path)
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 nothing")
    assert "Parquet" in refusal(tmp_path / "bad.parquet")
    assert "There is no column 'x'" in refusal(_written(path, table()), leave_out=("x",))


def _written(path, text):
    path.write_text(text)
    return path


def test_a_file_of_three_gigabytes_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "huge.csv"
    with path.open("wb") as file:
        file.truncate(3 * 2**30)  # it takes no room on the disk
    assert "3,072 MB" in refusal(path)


def test_a_zip_bomb_is_refused_by_its_table_of_contents(tmp_path, monkeypatch):
    monkeypatch.setattr("abp.data.own.archive.UNPACKED_BYTES", 10**6)
    bomb = zipped(tmp_path / "bomb.zip", {**drawings(4), "circle/bomb.png": bytes(10**7)})
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_: pytest.fail("it was opened"))
    assert "unpacks to" in refusal(bomb)


@pytest.mark.parametrize("name", ["", "."])
def test_a_file_without_a_name_in_a_zip_is_refused(tmp_path, name):
    content = bytearray(zipped(tmp_path / "a.zip", {**drawings(4), ".": b"x"}).read_bytes())
    if not name:  # by the table of contents the name is empty, and its one letter is something else
        lengths = content.rindex(b"PK\x01\x02") + 28
        content[lengths : lengths + 4] = struct.pack("<HH", 0, 1)
        (tmp_path / "a.zip").write_bytes(content)
    assert "a file without a name" in refusal(tmp_path / "a.zip")


def test_a_zip_that_announces_less_than_it_holds_is_not_believed(tmp_path):
    content = bytearray(zipped(tmp_path / "lie.zip", {**drawings(4), "circle/lie.png": bytes(10**6)}).read_bytes())
    entry = content.rindex(b"PK\x01\x02", 0, content.rindex(b"circle/lie.png"))
    content[entry + 24 : entry + 28] = struct.pack("<I", 100)  # its size unpacked, in the table of contents
    (tmp_path / "lie.zip").write_bytes(content)
    own = read_own("lie", tmp_path / "lie.zip", Options())
    assert len(own.notes["refused"]) == 1 and "lie.png" in own.notes["refused"][0]


@pytest.mark.parametrize("name", ["../circle/0.png", "/etc/circle/0.png", "a/../../b.png", "C:/a/b.png"])
def test_a_path_that_leads_out_of_a_zip_is_refused(tmp_path, name):
    assert "leads out of it" in refusal(zipped(tmp_path / "a.zip", {**drawings(4), name: b"x"}))


def test_pictures_that_are_none_are_left_out_and_named(tmp_path):
    files = {
        **drawings(4),
        "circle/fake.png": b"no picture",
        "cross/notes.txt": b"x",
        "stray.png": png(drawing("cross", 1)),
    }
    own = read_own("shapes", zipped(tmp_path / "a.zip", files), Options())
    assert len(own.y) == 12
    assert [sentence.split()[0] for sentence in own.notes["refused"]] == [
        "cross/notes.txt",
        "stray.png",
        "circle/fake.png",
    ]
    assert "no pictures in folders" in refusal(zipped(tmp_path / "b.zip", {"a.txt": b"x"}))
    fakes = {f"{kind}/{n}.png": b"x" for kind in "ab" for n in range(6)}
    assert "None of the 12 files" in refusal(zipped(tmp_path / "c.zip", fakes))
    (tmp_path / "d.zip").write_bytes(b"PK\x03\x04 damaged")
    assert "cannot be read as a zip" in refusal(tmp_path / "d.zip")


class Trap:
    """Would run a program when it is unpickled."""

    def __reduce__(self):
        return pytest.fail, ("a pickle was loaded",)


def test_pickled_objects_are_never_loaded(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.array([Trap()] * 20, dtype=object), y=np.arange(20) % 2)
    assert "never loaded" in refusal(tmp_path / "a.npz")


def test_bad_arrays_and_unknown_formats_are_refused(tmp_path):
    path = tmp_path / "a.npz"
    for arrays, words in (
        ({"images": np.zeros((20, 3))}, "it has images"),
        ({"x": np.zeros((20, 3)), "y": np.arange(19)}, "one label a sample"),
        ({"x": np.zeros((20, 2, 2, 5)), "y": np.arange(20) % 2}, "must be [samples"),
        ({"x": np.full((20, 4, 4), 300.0), "y": np.arange(20) % 2}, "from 300 to 300"),
        ({"x": np.zeros((20, 70, 70)), "y": np.arange(20) % 2}, "4,900 numbers"),
        ({"x": np.zeros((20, 3)), "y": np.arange(20) / 3}, "whole numbers"),
    ):
        np.savez(path, **arrays)
        assert words in refusal(path)
    (tmp_path / "a.docx").write_bytes(b"text")
    assert "no format that can be read" in refusal(tmp_path / "a.docx")
    assert "There is no file" in refusal(tmp_path / "missing.csv")
    with pytest.raises(BadData, match="small letters"):
        read_own("My Data", _written(tmp_path / "t.csv", table()), Options())
    with pytest.raises(BadData, match="not 3"):
        Options(size=3)
    assert kind_of(_written(tmp_path / "u.tsv", "a\tb")) == "table"
    assert str(limits.MOST_INPUTS)[0] in limits.RULES


def test_registered_arrays_are_a_data_set_by_their_name():
    rng = np.random.default_rng(0)
    data = abp.register_dataset("blobs", rng.normal(size=(50, 4)), np.arange(50) % 2)
    assert data.train_x.shape == (36, 4) and data.name.startswith("blobs@") and data.name in DATASETS
    assert torch_equal(load_dataset("blobs"), data)
    other = abp.register_dataset(
        "blobs", rng.random((30, 5, 5)), np.arange(30) % 3, test=(rng.random((9, 5, 5)), [0] * 9)
    )
    assert (
        other.image_shape == (5, 5) and len(other.test_x) == 9 and abp.Experiment(dataset="blobs").dataset == other.name
    )
    assert abp.Experiment(dataset=data.name).sizes[0] == 4
    with pytest.raises(BadData, match="built-in"):
        abp.register_dataset("digits", rng.random((30, 5)), np.arange(30) % 3)


def torch_equal(one, other) -> bool:
    return one.name == other.name and bool((one.train_x == other.train_x).all() and (one.test_y == other.test_y).all())


@pytest.mark.parametrize(("name", "inputs"), [("breast-cancer", 30), ("wine", 13)])
def test_the_tables_of_scikit_learn_are_standardised_on_their_training_part(name, inputs):
    data, record = load_dataset(name), DATASETS[name]
    assert data.train_x.shape == (record.train_samples, inputs) and record.is_table
    assert (len(data.valid_x), len(data.test_x)) == (record.valid_samples, record.test_samples)
    np.testing.assert_allclose(data.train_x.mean(dim=0).numpy(), 0, atol=1e-5)
    np.testing.assert_allclose(data.train_x.std(dim=0, unbiased=False).numpy(), 1, atol=1e-5)
    assert len(record.describe()) == inputs and data.class_names == record.class_names
