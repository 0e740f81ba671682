"""``abp spectra``: singular values of the matrices in a file, against chance; no run is needed."""

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from abp.analysis.chance import Chance, explanation, matrices_against_chance
from abp.analysis.spectra import summarise
from abp.analysis.weight_files import read_matrices
from abp.cli.output import require_json_target, write_json


def run(options: argparse.Namespace) -> int:
    """Print a line a layer, and write everything as JSON where that is asked for; the exit status."""
    require_json_target(options.json)
    matrices = read_matrices(Path(options.file))
    layers = dict(zip(matrices, matrices_against_chance(matrices.values()), strict=True))
    for name, chance in layers.items():
        print(_line(name, chance), file=sys.stderr)
    print(explanation(list(layers.values())), file=sys.stderr)
    content = [_json(name, chance) for name, chance in layers.items()]
    write_json(options.json, {"file": str(options.file), "layers": content})
    return 0


def _line(name: str, chance: Chance) -> str:
    tail = f"; tail x^-{chance.tail.alpha:.2f}, distance {chance.tail.distance:.3f}" if chance.tail else ""
    poor = " (a poor fit)" if chance.poor else ""
    return (
        f"{name} {chance.shape[0]} x {chance.shape[1]}: rank {chance.rank}, "
        f"with shuffled weights {chance.shuffled_rank}; "
        f"{chance.above} singular values above the edge of random weights at {chance.edge:.3g}{poor}{tail}"
    )


def _json(name: str, chance: Chance) -> dict[str, Any]:
    summary = asdict(summarise(chance.values, chance.shape)) | {"values": None}
    return {
        "name": name,
        "shape": chance.shape,
        **{key: value for key, value in summary.items() if value is not None},
        "singular_values": chance.values.tolist(),
        "shuffled_singular_values": chance.shuffled.tolist(),
        "shuffled_rank": chance.shuffled_rank,
        "edge": chance.edge,
        "above_edge": chance.above,
        "poor_fit": chance.poor,
        "tail": None if chance.tail is None else asdict(chance.tail),
    }
