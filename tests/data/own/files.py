"""Files such as people bring: made here, so that what is in them is known."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

CLASSES = ("circle", "cross", "square")


def drawing(kind: str, number: int, *, size: int = 96) -> Image.Image:
    """A black drawing on white paper: a shape, shifted and scaled by the number."""
    rng = np.random.default_rng([CLASSES.index(kind), number])
    image = Image.new("L", (size, size), "white")
    pen = ImageDraw.Draw(image)
    radius = rng.integers(size // 5, size // 3)
    x, y = rng.integers(size // 2 - size // 8, size // 2 + size // 8, 2)
    box = (int(x - radius), int(y - radius), int(x + radius), int(y + radius))
    if kind == "circle":
        pen.ellipse(box, outline="black", width=7)
    elif kind == "square":
        pen.rectangle(box, outline="black", width=7)
    else:
        pen.line(box, fill="black", width=7)
        pen.line((box[0], box[3], box[2], box[1]), fill="black", width=7)
    return image


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def drawings(each: int = 20) -> dict[str, bytes]:
    """Names and contents of drawings, one folder a class."""
    return {f"{kind}/{number}.png": png(drawing(kind, number)) for kind in CLASSES for number in range(each)}


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, contents in files.items():
            file.writestr(name, contents)
    return path


def table(rows: int = 60, seed: int = 0) -> str:
    """A CSV of two measurements, a colour and a label."""
    rng = np.random.default_rng(seed)
    lines = ["length,width,colour,species"]
    for number in range(rows):
        kind = number % 3
        length, width = rng.normal(3 * kind, 1), rng.normal(10, 2)
        lines.append(f"{length:.3f},{width:.3f},{'red' if kind else 'blue'},{('iris', 'lily', 'rose')[kind]}")
    return "\n".join(lines) + "\n"
