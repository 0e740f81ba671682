"""Drawings become pictures as those of the data sets: judged by networks that never saw a drawing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from scipy import ndimage

from abp import Experiment, Trainer, load_dataset
from abp.data.datasets import DATASETS
from abp.data.drawings import photographed, prepared

PAD = 280  # pixels of the pad on which the test pictures are drawn
PICTURES = [name for name, record in DATASETS.items() if record.image_shape is not None]

any_ink = arrays.arrays(
    np.float32, st.tuples(st.integers(1, 40), st.integers(1, 40)), elements=st.floats(0, 1, width=32)
)


@pytest.fixture(scope="module")
def mnist(real_data) -> Trainer:
    trainer = Trainer(Experiment(dataset="mnist", hidden=(100,), criterion="none", learning_rate=0.1))
    for _ in range(4):
        trainer.train_epoch()
    return trainer


@pytest.fixture(scope="module")
def digits() -> Trainer:
    trainer = Trainer(Experiment(dataset="digits", hidden=(100,), criterion="none", learning_rate=0.1))
    for _ in range(20):
        trainer.train_epoch()
    return trainer


def accuracy(trainer: Trainer, pictures, labels) -> float:
    answers = trainer.network(torch.from_numpy(np.stack([picture.ravel() for picture in pictures])))
    return (answers.argmax(dim=1).numpy() == labels).mean()


def on_the_pad(picture: np.ndarray, size: int = PAD) -> np.ndarray:
    """A picture enlarged and put into the middle of the pad, as if a person had drawn it."""
    drawn = Image.fromarray(picture).resize((size, size), Image.Resampling.BICUBIC)
    pad = Image.new("F", (PAD, PAD))
    pad.paste(drawn, ((PAD - size) // 2, (PAD - size) // 2))
    return np.clip(np.asarray(pad), 0, 1)


def shifted(ink: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    return ndimage.shift(ink, chance.uniform(-PAD / 5, PAD / 5, 2), order=1)


def thinner(ink: np.ndarray, pixels: float) -> np.ndarray:
    return np.clip(ndimage.distance_transform_edt(ink > 0.5) - pixels + 0.5, 0, 1)


def thicker(ink: np.ndarray, pixels: float) -> np.ndarray:
    return np.clip(pixels + 0.5 - ndimage.distance_transform_edt(ink <= 0.5), 0, 1)


# A stroke of MNIST is about 27 pixels wide on this pad: these make it a third thinner, and half as thick again.
VARIATIONS = {
    "as they are": (1.0, lambda picture, chance: on_the_pad(picture)),
    "shifted by up to a fifth": (3.0, lambda picture, chance: shifted(on_the_pad(picture), chance)),
    "scaled by 0.6 to 1.3": (3.0, lambda picture, chance: on_the_pad(picture, round(PAD * chance.uniform(0.6, 1.3)))),
    "thinner": (3.0, lambda picture, chance: thinner(on_the_pad(picture), 4.5)),
    "thicker": (3.0, lambda picture, chance: thicker(on_the_pad(picture), 7)),
}


@pytest.mark.parametrize("variation", VARIATIONS)
def test_drawings_like_mnist_lose_hardly_any_accuracy(variation, mnist):
    most, draw = VARIATIONS[variation]
    chance = np.random.default_rng(0)
    labels = mnist.data.test_y[:1000].numpy()
    originals = mnist.data.test_x[:1000].numpy().reshape(-1, 28, 28)
    drawn = [prepared(draw(picture, chance), "mnist") for picture in originals]
    lost = 100 * (accuracy(mnist, originals, labels) - accuracy(mnist, drawn, labels))
    print(f"{variation}: {lost:+.2f} points lost")  # pytest -rP shows it
    assert lost <= most


@pytest.mark.parametrize("variation", VARIATIONS)
def test_drawings_like_the_digits_are_read_by_a_network_that_learned_those(variation, digits):
    chance = np.random.default_rng(0)
    originals = digits.data.test_x.numpy().reshape(-1, 8, 8)
    drawn = [prepared(VARIATIONS[variation][1](picture, chance), "digits") for picture in originals]
    # A blurred enlargement of 8 x 8 pixels, cut off at the pad's edge when shifted, is not what a person draws.
    assert accuracy(digits, drawn, digits.data.test_y.numpy()) > (0.7 if "shifted" in variation else 0.85)


def test_drawings_like_mnist_are_read_by_a_network_that_learned_the_small_digits(digits, real_data):
    mnist = load_dataset("mnist")
    drawn = [prepared(on_the_pad(picture), "digits") for picture in mnist.test_x[:400].numpy().reshape(-1, 28, 28)]
    assert accuracy(digits, drawn, mnist.test_y[:400].numpy()) > 0.7  # other writers, other pens: chance is 0.1


def plus(pad: np.ndarray, top: int, left: int, size: int = 60, pen: int = 8) -> np.ndarray:
    middle = (size - pen) // 2
    pad[top : top + size, left + middle : left + middle + pen] = 1
    pad[top + middle : top + middle + pen, left : left + size] = 1
    return pad


@pytest.mark.parametrize("dataset", PICTURES)
@given(top=st.integers(0, 140), left=st.integers(0, 140))
def test_where_it_is_drawn_makes_no_difference(dataset, top, left):
    here, there = plus(np.zeros((200, 200)), 70, 70), plus(np.zeros((200, 200)), top, left)
    np.testing.assert_array_equal(prepared(here, dataset), prepared(there, dataset))


@pytest.mark.parametrize("dataset", ["digits", "mnist"])
def test_specks_of_dust_make_no_difference(dataset):
    clean, dusty = plus(np.zeros((200, 200)), 70, 70), plus(np.zeros((200, 200)), 70, 70)
    dusty[3:6, 3:6] = dusty[190, 10] = 1
    np.testing.assert_array_equal(prepared(clean, dataset), prepared(dusty, dataset))


def test_a_picture_of_mnist_is_20_pixels_high_and_its_mass_in_the_middle():
    picture = prepared(plus(np.zeros((200, 200)), 5, 100, size=90), "mnist")
    rows = np.flatnonzero(picture.any(axis=1))
    assert rows[-1] - rows[0] + 1 == 20
    assert np.abs(np.array(ndimage.center_of_mass(picture)) - 14).max() <= 0.5


def test_a_small_digit_is_made_of_blocks_of_sixteen_pixels_and_as_high_as_the_picture():
    picture = prepared(plus(np.zeros((200, 200)), 5, 100, size=90), "digits")
    assert picture.shape == (8, 8) and picture[0].any() and picture[-1].any()
    assert ((picture * 16) % 1 == 0).all()


@pytest.mark.parametrize("dataset", PICTURES)
@given(ink=any_ink)
def test_any_ink_becomes_a_picture_of_brightness_or_nothing(dataset, ink):
    picture = prepared(ink, dataset)
    if ink.max() < 0.1:
        assert picture is None
    else:
        assert picture.shape == DATASETS[dataset].image_shape and picture.dtype == np.float32
        assert picture.min() >= 0 and 0 < picture.max() <= 1


@pytest.mark.parametrize("dataset", PICTURES)
def test_a_single_pixel_a_full_pad_and_a_huge_one_are_pictures_and_an_empty_one_is_none(dataset):
    dot = np.zeros((50, 50), dtype=np.uint8)
    assert prepared(dot, dataset) is None and prepared(dot[:0], dataset) is None
    dot[20, 30] = 255
    huge = np.zeros((4000, 3000), dtype=np.uint8)
    huge[1000:3000, 1400:1600] = 255
    for ink in (dot, dot + 255, huge):
        assert prepared(ink, dataset).max() > 0.4


def test_bytes_and_shares_of_brightness_mean_the_same():
    ink = plus(np.zeros((100, 100)), 20, 20)
    np.testing.assert_array_equal(prepared(ink, "mnist"), prepared((255 * ink).astype(np.uint8), "mnist"))


def test_colours_are_refused():
    with pytest.raises(ValueError, match=r"\[5, 5, 3\]"):
        prepared(np.zeros((5, 5, 3)), "mnist")


@pytest.mark.parametrize("paper", [0.9, 0.6, 0.3, 0.0])
def test_ink_on_light_and_on_dark_paper_is_the_same_ink(paper):
    ink = plus(np.zeros((100, 100)), 20, 20)
    seen = np.where(ink > 0, 0.05 if paper > 0.5 else 1.0, paper)
    np.testing.assert_allclose(photographed(seen), ink)


def test_empty_paper_holds_no_ink():
    assert prepared(photographed(np.full((30, 30), 240, dtype=np.uint8)), "mnist") is None


def test_a_piece_of_clothing_fills_the_picture_as_in_fashion_mnist(real_data):
    originals = load_dataset("fashion-mnist").test_x[:50].numpy().reshape(-1, 28, 28)
    again = [prepared(np.kron(original, np.ones((10, 10))), "fashion-mnist") for original in originals]
    assert np.abs(np.stack(again) - originals).mean() < 0.03
