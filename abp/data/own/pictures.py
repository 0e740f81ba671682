"""Pictures in a folder or zip, one sub-folder a class: decoded one at a time by Pillow and brought to one size."""

from __future__ import annotations

import io
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from abp.data.own.archive import Archive, natural, opened
from abp.data.own.limits import PICTURE_PIXELS, BadData, check_inputs, check_samples
from abp.data.own.samples import PARTS, Options, Samples

_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM")
_ENDINGS = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".pgm", ".ppm")

SIZES = (8, 16, 20, 24, 28, 32, 36, 48, 64)
"""Rows and columns that pictures can be brought to."""


@dataclass(frozen=True)
class Found:
    """A file that may be a picture: its name, class, and part (``""`` where none is given)."""

    name: str
    label: str
    part: str


def find(archive: Archive) -> tuple[list[Found], list[str]]:
    """The pictures of an archive by the folder that each lies in, and what else lies there, a sentence each."""
    found, refused = [], []
    for name in archive.names:
        places = PurePosixPath(name).parts[:-1]
        if not name.lower().endswith(_ENDINGS):
            refused.append(f"{name} is no picture by its name.")
        elif not places:
            refused.append(f"{name} lies in no folder, so its class is unknown.")
        else:
            parts = [PARTS[each.lower()] for each in places[:-1] if each.lower() in PARTS]
            found.append(Found(name, places[-1], parts[-1] if parts else ""))
    return found, refused


def read_pictures(path: Path, options: Options) -> Samples:
    """Every picture of a folder or zip.

    Raises
    ------
    BadData
        If there are no pictures, or more than can be taken.
    """
    with opened(path) as archive:
        found, refused = find(archive)
        if not found:
            raise BadData(
                f"{path.name} holds no pictures in folders. Put the pictures of each class into a folder named "
                "after it."
            )
        channels = 3 if options.colour else 1
        check_samples(len(found))
        check_inputs(options.size**2 * channels, len(found))
        pixels, kept = [], []
        for each in found:
            try:
                pixels.append(decoded(archive.read(each.name), options))
                kept.append(each)
            except BadData as error:
                refused.append(str(error) if each.name in str(error) else f"{each.name} {error}")
    if not kept:
        raise BadData(f"None of the {len(found):,} files can be read as a picture. The first: {refused[0]}")
    return Samples(
        np.stack(pixels),
        np.array([each.label for each in kept]),
        np.array([each.part for each in kept]),
        tuple(refused),
        size=options.size,
        colour=options.colour,
        invert=options.invert,
    )


def preview(path: Path, options: Options, per_class: int = 2, most: int = 16) -> tuple[dict[str, int], list, list[str]]:
    """Files of each class, and the first pictures as ``(class, pixels)``, without reading the others."""
    with opened(path) as archive:
        found, refused = find(archive)
        counts = Counter(each.label for each in found)
        shown: list[tuple[str, NDArray]] = []
        taken: Counter[str] = Counter()
        for each in found:
            if len(shown) < most and taken[each.label] < per_class:
                taken[each.label] += 1
                try:
                    shown.append((each.label, decoded(archive.read(each.name), options)))
                except BadData as error:
                    refused.append(f"{each.name} {error}")
    return dict(sorted(counts.items(), key=lambda item: natural(item[0]))), shown, refused


def ink_of(pictures: NDArray[np.uint8]) -> str | None:
    """``"bright"`` or ``"dark"`` for drawings on an even background of the other kind, uint8 ``[n, rows, columns]``."""
    if not len(pictures):
        return None
    edge = np.concatenate([pictures[:, 0], pictures[:, -1], pictures[:, :, 0], pictures[:, :, -1]], axis=1)
    middle = np.median(edge)
    if (np.abs(edge.astype(int) - middle) < 40).mean() < 0.9:
        return None
    return "bright" if middle < 64 else "dark" if middle > 191 else None


def decoded(contents: bytes, options: Options) -> NDArray[np.uint8]:
    """A picture's pixels, uint8 ``[size, size]`` or with colours ``[size, size, 3]``.

    It is scaled as a whole; what it lacks to a square is filled with the colour of its corners. What is transparent
    becomes white.

    Raises
    ------
    BadData
        If it is no picture, has too many pixels, or is damaged; the message completes a sentence that begins with
        the file's name.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(contents), formats=_FORMATS)
        if image.width * image.height > PICTURE_PIXELS:
            most = PICTURE_PIXELS // 10**6
            raise BadData(f"has {image.width:,} × {image.height:,} pixels; at most {most} million can be read.")
        image.draft("RGB", (4 * options.size, 4 * options.size))  # a JPEG need not be decoded in full
        image.load()
        return _square(ImageOps.exif_transpose(image), options)
    except BadData:
        raise
    except Exception:  # Pillow's readers raise errors of many kinds
        raise BadData("is no picture, or is damaged: it cannot be read.") from None


def _square(image: Image.Image, options: Options) -> NDArray[np.uint8]:
    if image.mode.startswith("I"):  # 16-bit grey, which Pillow would clip at 255
        image = Image.fromarray((np.asarray(image, dtype=np.int64).clip(0, 65_535) // 257).astype(np.uint8))
    if image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info:
        coloured = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", coloured.size, "white"), coloured)
    image = image.convert("RGB" if options.colour else "L")
    pixels = np.asarray(image)
    corners = np.median(pixels[[0, 0, -1, -1], [0, -1, 0, -1]], axis=0)
    background = tuple(int(value) for value in np.atleast_1d(corners))
    side = (options.size, options.size)
    padded = ImageOps.pad(image, side, Image.Resampling.BOX, color=background if options.colour else background[0])
    square = np.asarray(padded, dtype=np.uint8)
    return 255 - square if options.invert else square
