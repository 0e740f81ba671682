"""Drawings: from ink on a pad, or a photograph, to a picture made as those of a data set were made."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from scipy import ndimage

from abp.data.datasets import DATASETS

DRAWABLE = ("digits", "mnist")
"""Data sets whose pictures are drawn by hand; photographs can be prepared for all of them."""

Grey = NDArray[np.float32]  # brightness [rows, columns], 0 (background) to 1

_FAINTEST = 0.1  # brightness below which nothing is ink
_SPECK = 0.03  # of the largest piece of ink: smaller pieces are dust
_LARGEST = 512  # pixels; larger pictures are made smaller first
_BOX = 20  # pixels of MNIST's bounding box
_FINER = 4  # working pixels for each of MNIST's; and the digits' bitmaps were counted in blocks of 4 x 4
_STROKES = 0.12, 0.18  # stroke width / longer side of the box: most of MNIST's training pictures lie about here
_INK = 256, 412  # pixels of ink in a bitmap of 32 x 32, within which NIST's program brings it


def prepared(ink: ArrayLike, dataset: str) -> Grey | None:
    """A picture like those of a data set, as brightness 0 to 1 of the data set's shape; None if there is no ink.

    ``mnist``: the ink's box is fitted to 20 x 20 pixels, antialiased, and its centre of mass put into the middle of
    28 x 28 (http://yann.lecun.com/exdb/mnist). Strokes much thinner or thicker than usual there are brought back.
    ``digits``: ink is normalised as by the NIST program that made them (Garris et al. 1994, NISTIR 5469) to a bitmap 32
    high and at most 20 wide, of usual ink, upright; blocks of 4 x 4 are counted. ``fashion-mnist``: the object fills
    28 x 28 pixels.

    Parameters
    ----------
    ink
        Bright ink on a dark background, ``[rows, columns]`` of any size: whole numbers to 255, or floats to 1.
    dataset
        A key of `abp.data.datasets.DATASETS`.

    Raises
    ------
    ValueError
        If the ink is not of rows and columns.

    Examples
    --------
    >>> line = np.zeros((100, 100))
    >>> line[20:80, 48:52] = 1
    >>> prepared(line, "mnist").shape, prepared(line, "digits").shape, prepared(0 * line, "mnist")
    ((28, 28), (8, 8), None)
    """
    grey = _reduced(_brightness(ink))
    if not grey.size or grey.max() < _FAINTEST:
        return None
    if dataset == "fashion-mnist":
        return _filled(_cropped(grey, _FAINTEST), DATASETS[dataset].pixels)
    drawn = _cropped(_without_specks(grey), grey.max() / 2)
    return _as_mnist(drawn) if dataset == "mnist" else _as_digits(drawn)


def photographed(grey: ArrayLike) -> Grey:
    """Ink of a photograph ``[rows, columns]``: what differs from the background, which is estimated from the border.

    A light background means dark ink, so the picture is inverted. Values as of `prepared`, which takes what it returns.

    >>> paper = np.full((5, 5), 200, dtype=np.uint8)
    >>> paper[2, 2] = 20
    >>> photographed(paper)[2].tolist()
    [0.0, 0.0, 1.0, 0.0, 0.0]
    """
    seen = _brightness(grey)
    border = np.concatenate([seen[0], seen[-1], seen[:, 0], seen[:, -1]]) if seen.size else np.zeros(1)
    background = float(np.median(border))
    ink = np.maximum(background - seen if background > 0.5 else seen - background, 0)
    brightest = float(ink.max(initial=0))
    return ink / np.float32(brightest) if brightest >= _FAINTEST else np.zeros_like(ink)


def _brightness(ink: ArrayLike) -> Grey:
    pixels = np.asarray(ink)
    if pixels.ndim != 2:
        raise ValueError(f"ink has rows and columns, but this has the shape {list(pixels.shape)}")
    brightest = np.float32(255 if np.issubdtype(pixels.dtype, np.integer) else 1)
    return np.clip(np.nan_to_num(pixels.astype(np.float32)) / brightest, 0, 1)


def _reduced(grey: Grey) -> Grey:
    return grey if max(grey.shape) <= _LARGEST else _scaled(grey, _within(grey.shape, _LARGEST, _LARGEST))


def _within(shape: tuple[int, ...], rows: int, columns: int) -> tuple[int, int]:
    """The size of a picture of this shape fitted to so many rows and columns."""
    factor = min(rows / shape[0], columns / shape[1])
    return max(1, round(shape[0] * factor)), max(1, round(shape[1] * factor))


def _scaled(grey: Grey, size: tuple[int, int]) -> Grey:
    """Enlarged smoothly, or made smaller by averaging, where each pixel counts once."""
    how = Image.Resampling.BOX if size[0] * size[1] < grey.size else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(grey).resize(size[::-1], how), dtype=np.float32)


def _without_specks(grey: Grey) -> Grey:
    pieces, _ = ndimage.label(grey > grey.max() / 2, structure=np.ones((3, 3)))
    areas = np.bincount(pieces.ravel())[1:]
    kept = np.flatnonzero(areas >= _SPECK * areas.max()) + 1
    near = ndimage.binary_dilation(np.isin(pieces, kept), iterations=3)  # with the strokes' soft edges
    return np.where(near, grey, np.float32(0))


def _cropped(grey: Grey, threshold: float) -> Grey:
    """The bounding box of what is brighter than a threshold."""
    bright = grey > threshold
    rows, columns = np.flatnonzero(bright.any(axis=1)), np.flatnonzero(bright.any(axis=0))
    return grey[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _inner(mask: NDArray) -> NDArray:
    """Distance of each pixel to the nearest one outside, in pixels; 0 outside."""
    return ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]


def _outline(mask: NDArray) -> NDArray:
    """Distance to the edge, in pixels: above 0 inside, below 0 outside."""
    return _inner(mask) - ndimage.distance_transform_edt(~mask)


# MNIST


def _as_mnist(drawn: Grey) -> Grey:
    fine = _scaled(drawn, _within(drawn.shape, _FINER * _BOX, _FINER * _BOX))
    usual = _with_usual_strokes(fine)
    return _centred(_scaled(usual, _within(usual.shape, _BOX, _BOX)), DATASETS["mnist"].pixels)


def _with_usual_strokes(grey: Grey) -> Grey:
    """Ink with strokes of a usual width: where they are far from it, the outline is moved in or out."""
    mask = grey > grey.max() / 2
    inner = _inner(mask)
    width = 4 * (inner[mask].mean() - 0.25)  # across a long stroke the mean distance to the edge is a quarter of it
    longer = max(mask.shape)
    share = np.clip(width / longer, *_STROKES)
    if share == width / longer:
        return grey
    wider = (share * longer - width) / (1 - share)  # the box grows or shrinks by as much as the strokes
    wider = max(wider, -1.6 * inner.max())  # something is always left
    room = int(np.ceil(max(wider, 0) / 2)) + 1
    moved = np.clip(_outline(np.pad(mask, room)) + wider / 2 + 0.5, 0, 1)
    return _cropped(moved.astype(np.float32), moved.max() / 2)


def _centred(grey: Grey, shape: tuple[int, int]) -> Grey:
    """A small picture placed on an empty one, in whole pixels, its centre of mass as close to the middle as fits."""
    picture = np.zeros(shape, dtype=np.float32)
    mass = ndimage.center_of_mass(grey)
    top, left = (
        min(max(round(whole / 2 - centre), 0), whole - part)
        for whole, centre, part in zip(shape, mass, grey.shape, strict=True)
    )
    picture[top : top + grey.shape[0], left : left + grey.shape[1]] = grey
    return picture


# The digits of scikit-learn


def _as_digits(drawn: Grey) -> Grey:
    """Blocks of a bitmap of 32 x 32: the share of ink in each."""
    size = 32, min(20, max(1, round(32 * drawn.shape[1] / drawn.shape[0])))
    fitted = _scaled(drawn, size)
    bitmap = np.zeros((32, 32), dtype=bool)
    left = (32 - size[1]) // 2
    bitmap[:, left : left + size[1]] = fitted > fitted.max() / 2
    blocks = _upright(_with_usual_ink(bitmap)).reshape(8, _FINER, 8, _FINER)
    return blocks.mean(axis=(1, 3)).astype(np.float32)


def _with_usual_ink(bitmap: NDArray) -> NDArray:
    """A bitmap with too little or too much ink, its outline moved in steps of a quarter pixel until that is right."""
    fewest, most = _INK
    outline = _outline(bitmap)
    moves = sorted(np.arange(-3, 3.25, 0.25), key=abs)

    def missing(move: float) -> int:
        found = int((outline > -move).sum())
        return max(fewest - found, found - most, 0)

    return outline > -min(moves, key=missing)  # of equal ones the smallest move, which comes first


def _upright(bitmap: NDArray) -> NDArray:
    """A bitmap sheared so that its left edge near the top stands above that near the bottom."""
    rows = np.flatnonzero(bitmap.any(axis=1))
    top, bottom = rows[0] + 2, rows[-1] - 2
    if bottom <= top or not bitmap[top].any() or not bitmap[bottom].any():
        return bitmap
    slope = (int(bitmap[bottom].argmax()) - int(bitmap[top].argmax())) / (bottom - top)
    sheared = np.zeros_like(bitmap)
    for row in range(len(bitmap)):
        columns = np.flatnonzero(bitmap[row]) - round(slope * (row - len(bitmap) / 2))
        sheared[row, columns[(columns >= 0) & (columns < bitmap.shape[1])]] = True
    return sheared


# Fashion-MNIST


def _filled(grey: Grey, shape: tuple[int, int]) -> Grey:
    """An object that fills a picture, in its middle, rounded to the lower right as in Fashion-MNIST."""
    small = _scaled(grey, _within(grey.shape, *shape))
    picture = np.zeros(shape, dtype=np.float32)
    top, left = ((whole - part + 1) // 2 for whole, part in zip(shape, small.shape, strict=True))
    picture[top : top + small.shape[0], left : left + small.shape[1]] = small
    return picture
