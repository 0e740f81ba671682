"""Files that visitors send: how large they may be; and pictures, PNG and JPEG, decoded safely."""

import io
import math
import warnings

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from abp.errors import AbpError
from abp.limits import limit, require

MEGABYTE = 2**20  # as Streamlit counts them

_PIXELS = 16_000_000  # a telephone's photograph has 12 million; these take half a second at worst
_KEPT = 512  # pixels of the longer side


class UploadUnusable(ValueError):
    """A file that is not a usable picture; says why and what to do, for the person who sent it."""


def most_megabytes() -> int:
    """The largest file that is taken, in whole megabytes."""
    return math.ceil(limit("ABP_MAX_UPLOAD_MB") or 0)


def check_size(contents: bytes, advice: str) -> None:
    """Refuse a file that is larger than this installation allows.

    Raises
    ------
    abp.limits.LimitReached
        With this advice.
    """
    megabytes = len(contents) / MEGABYTE
    require("ABP_MAX_UPLOAD_MB", megabytes, f"This file has {megabytes:,.3g} MB", advice)


def decoded(contents: bytes) -> NDArray[np.uint8]:
    """Brightness ``[rows, columns]`` of a PNG or JPEG file, upright, with at most 512 rows and columns.

    What is transparent becomes white.

    Raises
    ------
    UploadUnusable
        If the file is too large, no PNG or JPEG whatever its name, of too many pixels, or damaged.
    """
    try:
        check_size(contents, "Send a smaller picture.")
    except AbpError as error:
        raise UploadUnusable(str(error)) from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the pixels are counted below
            image = Image.open(io.BytesIO(contents), formats=("PNG", "JPEG"))
    except UnidentifiedImageError:
        raise UploadUnusable(
            "This file is not a PNG or JPEG picture, whatever its name says. Save the picture as PNG or JPEG."
        ) from None
    except Image.DecompressionBombError:
        raise UploadUnusable(_too_many_pixels("far too many")) from None
    except Exception:  # Pillow's readers raise errors of many kinds
        raise UploadUnusable(_DAMAGED) from None
    if image.width * image.height > _PIXELS:
        raise UploadUnusable(_too_many_pixels(f"{image.width:,} × {image.height:,}"))
    try:
        image.draft("L", (_KEPT, _KEPT))  # a JPEG need not be decoded in full
        image.load()
        upright = ImageOps.exif_transpose(_of_eight_bits(image))
        upright.thumbnail((_KEPT, _KEPT))
        return _brightness(upright)
    except Exception:
        raise UploadUnusable(_DAMAGED) from None


_DAMAGED = "This picture is damaged: it cannot be read to its end. Save or take it again."


def _too_many_pixels(found: str) -> str:
    most = f"{_PIXELS // 10**6} million"
    return f"This picture has {found} pixels; at most {most} can be read. Make it smaller."


def _of_eight_bits(image: Image.Image) -> Image.Image:
    """A picture as it is, except that 16-bit grey is scaled down, which Pillow would clip at 255."""
    if not image.mode.startswith("I"):
        return image
    return Image.fromarray((np.asarray(image, dtype=np.int64).clip(0, 65_535) // 257).astype(np.uint8))


def _brightness(image: Image.Image) -> NDArray[np.uint8]:
    if image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info:
        coloured = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", coloured.size, "white"), coloured)
    return np.array(image.convert("L"))
