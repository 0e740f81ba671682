from __future__ import annotations

import gzip
import hashlib
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from abp.data import download, idx
from abp.data.datasets import DATASETS, Dataset, DataUnavailable, load_dataset, load_test_set

ROOT = Path(__file__).parents[2]
OFFICIAL = ("mnist", "fashion-mnist")


def as_idx(array: np.ndarray) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def splits(data: Dataset) -> list[tuple[torch.Tensor, torch.Tensor]]:
    return [(data.train_x, data.train_y), (data.valid_x, data.valid_y), (data.test_x, data.test_y)]


# Digits


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


def test_digits_has_360_test_pictures_and_a_tenth_of_the_rest_for_validation(digits):
    assert [len(x) for x, _ in splits(digits)] == [1294, 143, 360]


def test_digits_test_set_holds_each_class_in_proportion(digits):
    in_all = np.bincount(load_digits().target)
    share = in_all * 360 / in_all.sum()
    assert np.abs(np.bincount(digits.test_y) - share).max() < 1


def test_digits_are_split_as_scikit_learn_splits_them(digits):
    pixels, labels = load_digits(return_X_y=True)
    others_x, test_x, others_y, test_y = train_test_split(
        pixels, labels, test_size=360, stratify=labels, random_state=0
    )
    found = (torch.cat([digits.valid_x, digits.train_x]), torch.cat([digits.valid_y, digits.train_y]))
    for (x, y), pictures, their in ((found, others_x, others_y), ((digits.test_x, digits.test_y), test_x, test_y)):
        assert np.array_equal(x.numpy() * 16, pictures) and np.array_equal(y.numpy(), their)
        assert (x.dtype, y.dtype) == (torch.float32, torch.int64)


def test_loading_digits_imports_no_scikit_learn():
    program = "import sys; from abp import load_dataset; load_dataset('digits'); sys.exit('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT).returncode == 0


def test_every_picture_of_digits_is_in_exactly_one_split_with_its_label(digits):
    source = load_digits()
    expected = sorted((*row, label) for row, label in zip(source.data.tolist(), source.target, strict=True))
    found = [(*row, label) for x, y in splits(digits) for row, label in zip((x * 16).tolist(), y.tolist(), strict=True)]
    assert sorted(found) == expected


def test_the_test_samples_alone_are_those_of_the_whole(digits):
    x, y = load_test_set("digits")
    assert torch.equal(x, digits.test_x) and torch.equal(y, digits.test_y)


def test_digits_are_the_same_bits_every_time(digits):
    again = load_dataset("digits")
    for (x, y), (x_again, y_again) in zip(splits(digits), splits(again), strict=True):
        assert torch.equal(x, x_again)
        assert torch.equal(y, y_again)


def test_digits_are_the_same_bits_as_in_earlier_versions(digits):
    # Results of different days can be compared only as long as this holds; scikit-learn draws the split.
    bits = hashlib.sha256()
    for x, y in splits(digits):
        bits.update(x.numpy().tobytes() + y.numpy().tobytes())
    assert bits.hexdigest() == "cfd18cd75c03fe558b435fa09fdee97e486ec0960d87ec7b4eda4b0c980156ba"


def test_names_and_sizes_are_known_before_loading(digits):
    record = DATASETS["digits"]
    assert list(DATASETS.built_in) == ["digits", "mnist", "fashion-mnist", "breast-cancer", "wine"]
    assert record.title == "Handwritten digits (8 × 8)"
    assert (record.train_samples, record.valid_samples, record.test_samples) == (1294, 143, 360)
    assert (record.image_shape, record.class_names) == (digits.image_shape, digits.class_names)


def test_an_unknown_name_is_refused_with_the_choices():
    with pytest.raises(ValueError, match="'cifar'.*digits, mnist, fashion-mnist"):
        load_dataset("cifar")


def check_types_and_ranges(data: Dataset) -> None:
    for x, y in splits(data):
        assert (x.dtype, y.dtype) == (torch.float32, torch.int64)
        assert x.shape == (len(y), data.image_shape[0] * data.image_shape[1])
        assert x.is_contiguous()
        assert (x.min(), x.max()) == (0, 1)
        assert set(y.tolist()) == set(range(len(data.class_names)))


def test_digits_are_brightness_from_0_to_1_and_class_indices(digits):
    check_types_and_ranges(digits)


# The IDX format

byte_arrays = arrays.arrays(np.uint8, arrays.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=6))


@given(byte_arrays, st.booleans())
def test_an_array_survives_the_way_through_idx(array, zipped):
    contents = gzip.compress(as_idx(array)) if zipped else as_idx(array)
    found = idx.parse(idx.uncompressed(contents), array.ndim)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, array)


@given(byte_arrays, st.data())
def test_a_shortened_idx_file_is_refused(array, data):
    contents = as_idx(array)
    kept = data.draw(st.integers(0, len(contents) - 1))
    with pytest.raises(ValueError, match="it "):
        idx.parse(contents[:kept], array.ndim)


@given(byte_arrays, st.binary(min_size=1))
def test_an_idx_file_with_bytes_left_over_is_refused(array, more):
    with pytest.raises(ValueError, match="elements but holds"):
        idx.parse(as_idx(array) + more, array.ndim)


@given(byte_arrays, st.integers(1, 4))
def test_an_idx_file_of_other_dimensions_is_refused(array, dimensions):
    if dimensions != array.ndim:
        with pytest.raises(ValueError, match="starts with the bytes"):
            idx.parse(as_idx(array), dimensions)


@given(byte_arrays, st.data())
def test_a_shortened_gzip_file_is_refused(array, data):
    contents = gzip.compress(as_idx(array))
    kept = data.draw(st.integers(2, len(contents) - 1))
    with pytest.raises(ValueError, match="end too early"):
        idx.uncompressed(contents[:kept])


# Damaged files in the folder that ABP_DATA_DIR names


def wrong_pixel(plain: bytes) -> bytes:
    return plain[:-1] + bytes([plain[-1] ^ 1])


def flipped_in_the_middle(contents: bytes) -> bytes:
    middle = len(contents) // 2
    return contents[:middle] + bytes([contents[middle] ^ 255]) + contents[middle + 1 :]


DAMAGES = {
    "empty": (lambda plain: b"", "starts with the bytes ''"),
    "a web page": (lambda plain: b"<html>Please log in</html>", "starts with the bytes '3c 68 74 6d'"),
    "labels in place of pictures": (lambda plain: as_idx(np.zeros(20, np.uint8)), "'00 00 08 01'"),
    "cut inside the header": (lambda plain: plain[:9], "ends after 9 bytes"),
    "cut": (lambda plain: plain[:-1], "elements but holds"),
    "one wrong pixel": (wrong_pixel, "MD5"),
    "cut gzip": (lambda plain: gzip.compress(plain)[:-100], "end too early"),
    "flipped bits in gzip": (lambda plain: flipped_in_the_middle(gzip.compress(plain)), "are damaged"),
    "one wrong pixel in gzip": (lambda plain: gzip.compress(wrong_pixel(plain)), "MD5"),
}


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "train-images-idx3-ubyte.gz"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_of_the_user_is_named_and_left_alone(damage, name, tmp_path, monkeypatch):
    pictures = as_idx(np.random.default_rng(0).integers(256, size=(20, 28, 28), dtype=np.uint8))
    spoil, complaint = DAMAGES[damage]
    path = tmp_path / "mnist" / name
    path.parent.mkdir()
    path.write_bytes(spoil(pictures))
    monkeypatch.setenv("ABP_DATA_DIR", str(tmp_path))
    official = {"train-images-idx3-ubyte": hashlib.md5(pictures).hexdigest()}
    monkeypatch.setitem(download.CHECKSUMS, "mnist", official)

    with pytest.raises(DataUnavailable) as caught:
        load_dataset("mnist")

    assert str(path) in str(caught.value)
    assert complaint in str(caught.value)
    assert "Replace it" in str(caught.value)
    assert path.read_bytes() == spoil(pictures)


def test_a_folder_in_place_of_a_file_is_named(tmp_path, monkeypatch):
    path = tmp_path / "mnist" / "train-images-idx3-ubyte.gz"
    path.mkdir(parents=True)
    monkeypatch.setenv("ABP_DATA_DIR", str(tmp_path))
    with pytest.raises(DataUnavailable, match=f"{path} cannot be read"):
        load_dataset("mnist")


# The official files


@pytest.fixture(scope="module", params=OFFICIAL)
def official(request, real_data) -> Dataset:
    return load_dataset(request.param)


def read_independently(real_data: Path, dataset: str, file: str, header: int) -> np.ndarray:
    path = real_data / dataset / file
    contents = path.read_bytes() if path.exists() else gzip.decompress(Path(f"{path}.gz").read_bytes())
    return np.frombuffer(contents, np.uint8, offset=header)


def test_official_data_are_brightness_from_0_to_1_and_class_indices(official):
    check_types_and_ranges(official)


def test_official_data_have_the_announced_sizes_and_classes(official):
    record = DATASETS[official.name]
    sizes = (record.train_samples, record.valid_samples, record.test_samples)
    assert tuple(len(x) for x, _ in splits(official)) == sizes == (54_000, 6_000, 10_000)
    assert official.image_shape == record.image_shape == (28, 28)
    assert official.class_names == record.class_names


def test_the_first_tenth_of_the_official_training_set_is_the_validation_set(official, real_data):
    pixels = read_independently(real_data, official.name, "train-images-idx3-ubyte", header=16)
    labels = read_independently(real_data, official.name, "train-labels-idx1-ubyte", header=8)
    expected = pixels.reshape(60_000, 784).astype(np.float32) / np.float32(255)
    assert np.array_equal(official.valid_x.numpy(), expected[:6_000])
    assert np.array_equal(official.train_x.numpy(), expected[6_000:])
    assert np.array_equal(official.valid_y.numpy(), labels[:6_000])
    assert np.array_equal(official.train_y.numpy(), labels[6_000:])


def test_the_official_test_set_is_the_test_set(official, real_data):
    pixels = read_independently(real_data, official.name, "t10k-images-idx3-ubyte", header=16)
    labels = read_independently(real_data, official.name, "t10k-labels-idx1-ubyte", header=8)
    expected = pixels.reshape(10_000, 784).astype(np.float32) / np.float32(255)
    assert np.array_equal(official.test_x.numpy(), expected)
    assert np.array_equal(official.test_y.numpy(), labels)


def test_the_folder_of_real_data_may_be_relative(real_data, monkeypatch, tmp_path):
    monkeypatch.chdir(real_data.parent)
    monkeypatch.setenv("ABP_DATA_DIR", real_data.name)
    monkeypatch.setenv("ABP_HOME", str(tmp_path / "untouched"))
    labels = download.obtain("mnist", "t10k-labels-idx1-ubyte", dimensions=1)
    # The number of test pictures of each digit, as published with the data.
    assert np.bincount(labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert not (tmp_path / "untouched").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak memory from /proc")
@pytest.mark.parametrize("name", OFFICIAL)
def test_loading_official_data_keeps_a_worker_far_below_900_megabytes(name, real_data):
    # VmHWM, not getrusage: the latter also counts the process that started this one.
    script = (
        "import sys; from abp.data.datasets import load_dataset; data = load_dataset(sys.argv[1]); "
        "print(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    environment = os.environ | {"ABP_DATA_DIR": str(real_data), "PYTHONPATH": str(ROOT)}
    answer = subprocess.run(
        [sys.executable, "-c", script, name], env=environment, capture_output=True, text=True, check=True
    )
    kibibytes = int(answer.stdout.split()[1])
    assert kibibytes * 1024 < 700e6
