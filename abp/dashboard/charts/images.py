"""Matrices as pictures: weights, zero patterns and sheets of neurons, as PNG files of whole-pixel cells.

What is zero is transparent, so it takes the page's background, light or dark; what was removed is grey.
"""

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from abp.analysis.blocks import share, strongest
from abp.dashboard.charts.colours import MUTED

POSITIVE, NEGATIVE = "#D55E00", "#0072B2"
_REMOVED = 90  # opacity of what was removed, of 255
_WIDEST, _HIGHEST = 800, 400  # cells; a larger matrix is drawn by blocks
_ROOM = 480, 240  # pixels that a smaller matrix may be enlarged to
_THINNEST = 40  # pixels, so that a layer of one neuron remains visible


def block_of(shape: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of a matrix of this shape that one cell of its picture represents.

    >>> block_of((300, 784)), block_of((4096, 784))
    ((1, 1), (11, 1))
    """
    return -(-shape[0] // _HIGHEST), -(-shape[1] // _WIDEST)


def weights_png(matrix: NDArray, mask: NDArray, limit: float) -> bytes:
    """A layer's weights: a row a neuron, a column an input.

    Parameters
    ----------
    matrix, mask
        Weights and what was kept, ``[out, in]``. Of a block that one cell represents, the weight of largest magnitude
        is drawn.
    limit
        Magnitude from which on a colour is full.
    """
    block = block_of(matrix.shape)
    return pixels_png(_enlarged(weight_cells(strongest(matrix, block), share(mask, block) > 0, limit)))


def mask_png(mask: NDArray, colour: str) -> bytes:
    """A layer's zero pattern ``[out, in]``: kept in `colour`, removed in grey, blocks in between by the share kept."""
    part = share(mask, block_of(mask.shape))[..., None]
    kept, removed = np.array([*_rgb(colour), 255]), np.array([*_rgb(MUTED), _REMOVED])
    return pixels_png(_enlarged((part * kept + (1 - part) * removed).astype(np.uint8)))


def _portrait_cells(weights: NDArray, mask: NDArray, limit: float) -> NDArray:
    """Cells of neurons' incoming weights ``[neurons, rows, columns]``, uint8 RGBA ``[neurons, rows, columns, 4]``.

    Of pictures with colours, ``[neurons, rows, columns, 3]``, each cell has the colour that the neuron prefers in its
    place: mid-grey is none.
    """
    if weights.ndim == 3:
        return weight_cells(weights, mask, limit)
    cells = np.empty((*weights.shape[:-1], 4), dtype=np.uint8)
    cells[..., :3] = 127.5 + 127.5 * np.clip(weights / limit, -1, 1)
    cells[..., 3] = 255
    cells[~mask.any(axis=-1)] = (*_rgb(MUTED), _REMOVED)
    return cells


def weight_cells(matrix: NDArray, mask: NDArray, limit: float) -> NDArray:
    """Cells of weights, uint8 RGBA ``[..., 4]``: the larger, the less transparent; False in `mask` is grey."""
    cells = np.empty((*matrix.shape, 4), dtype=np.uint8)
    cells[..., :3] = np.where(matrix[..., None] > 0, _rgb(POSITIVE), _rgb(NEGATIVE))
    cells[..., 3] = np.minimum(np.abs(matrix) / limit, 1) * 255
    cells[~mask] = (*_rgb(MUTED), _REMOVED)
    return cells


def neuron_png(weights: NDArray, mask: NDArray, limit: float, *, pixels: int = 280) -> bytes:
    """The incoming weights ``[rows, columns]`` of one neuron of the first layer, each in the place of its pixel.

    Of pictures with colours they are ``[rows, columns, 3]``.
    """
    cells = _portrait_cells(weights[None], mask[None], limit)[0]
    picture = Image.fromarray(_repeated(cells, pixels // max(weights.shape)))
    _mark(ImageDraw.Draw(picture), (0, 0, picture.width - 1, picture.height - 1), dead=not mask.any())
    return _bytes(picture)


def sheet_png(weights: NDArray, masks: NDArray, labels: Sequence[str], limit: float, *, across: int = 8) -> bytes:
    """Neurons of the first layer side by side, each with its label below; dead ones are grey and crossed out.

    Parameters
    ----------
    weights, masks
        Incoming weights and what was kept, ``[neurons, rows, columns]``, or ``[neurons, rows, columns, 3]``.
    """
    tile = max(1, 56 // max(weights.shape[1:3])) * np.array(weights.shape[1:3])  # pixels
    high, wide = int(tile[0]) + 20, int(tile[1]) + 6
    down = -(-len(weights) // across)
    sheet = Image.new("RGBA", (wide * min(across, len(weights)), high * down))
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(12)
    for index, (cells, mask, label) in enumerate(
        zip(_portrait_cells(weights, masks, limit), masks, labels, strict=True)
    ):
        left, top = wide * (index % across), high * (index // across)
        sheet.paste(Image.fromarray(_repeated(cells, int(tile[0]) // cells.shape[0])), (left, top))
        right, bottom = left + int(tile[1]) - 1, top + int(tile[0]) - 1
        _mark(pen, (left, top, right, bottom), dead=not mask.any())
        pen.text((left + int(tile[1]) / 2, bottom + 9), label, fill=MUTED, font=font, anchor="mm")
    return _bytes(sheet)


def _mark(pen: ImageDraw.ImageDraw, box: tuple[int, int, int, int], *, dead: bool) -> None:
    """A frame around a neuron, and a cross over it if it is dead."""
    left, top, right, bottom = box
    if dead:
        pen.line((left, top, right, bottom), fill=MUTED, width=2)
        pen.line((left, bottom, right, top), fill=MUTED, width=2)
    pen.rectangle(box, outline=(*_rgb(MUTED), 140))


def picture_png(pixels: NDArray, *, width: int = 84) -> bytes:
    """A picture of a data set, brightness 0 to 1 ``[rows, columns]``."""
    return pixels_png(_repeated((pixels * 255).astype(np.uint8), max(1, width // pixels.shape[1])))


def legend_png() -> bytes:
    """The colours of weights from the most negative to the most positive."""
    cells = weight_cells(np.linspace(-1, 1, 180)[None], np.ones((1, 180), dtype=bool), 1.0)
    return pixels_png(np.repeat(cells, 14, axis=0))


def swatch_png(colour: str | None = None) -> bytes:
    """A patch of a colour, or of the grey of removed weights."""
    filling = (*_rgb(MUTED), _REMOVED) if colour is None else (*_rgb(colour), 255)
    return pixels_png(np.full((14, 28, 4), filling, dtype=np.uint8))


def _enlarged(cells: NDArray) -> NDArray:
    """Cells enlarged by whole factors: square ones, but where the picture would be a mere line."""
    rows, columns = cells.shape[:2]
    factor = max(1, min(_ROOM[0] // columns, _ROOM[1] // rows))
    down, across = (factor * max(1, -(-_THINNEST // (factor * length))) for length in (rows, columns))
    return np.repeat(np.repeat(cells, down, axis=0), across, axis=1)


def _repeated(cells: NDArray, factor: int) -> NDArray:
    factor = max(1, factor)
    return np.repeat(np.repeat(cells, factor, axis=0), factor, axis=1)


def _rgb(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour[1:]))


def pixels_png(pixels: NDArray) -> bytes:
    """Pixels, uint8 grey ``[rows, columns]`` or RGBA ``[rows, columns, 4]``, as a PNG file."""
    return _bytes(Image.fromarray(pixels))


def _bytes(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=4)
    return file.getvalue()
