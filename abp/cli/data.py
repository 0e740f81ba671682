"""``abp data``: data sets of one's own, added, listed and removed."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from abp.cli.output import require_json_target, write_json
from abp.data.datasets import DATASETS

if TYPE_CHECKING:
    from abp.store.repositories.datasets import DatasetRow
    from abp.store.store import Store


def run(options: argparse.Namespace) -> int:
    """Do what was asked; the exit status."""
    return {"add": _add, "list": _list, "remove": _remove}[options.action](options)


def own_data(name: str | None) -> Store | None:
    """The store, if it is needed to tell whether there is a data set of this name; keep it while that matters."""
    return _existing_store() if name is not None and name not in DATASETS else None


def _existing_store() -> Store | None:
    # Only now: a wrong option is answered without the packages that a store needs.
    from abp.store.database import exists
    from abp.store.store import Store

    return Store() if exists() else None


def _add(options: argparse.Namespace) -> int:
    # Only now: listing needs neither pandas nor Pillow.
    from abp.data.own.limits import BadData
    from abp.data.own.preparation import checked_name
    from abp.data.own.reading import glance, is_dark_ink, read_own
    from abp.data.own.samples import Options
    from abp.store.store import Store

    checked_name(options.name)
    store = Store()
    if options.name in DATASETS.built_in:
        raise BadData(f"{options.name!r} is the name of a built-in data set. Choose another one.")
    wanted = Options(
        label=options.label or "",
        leave_out=options.leave_out,
        size=options.size,
        colour=options.colour,
        invert=bool(options.invert),
        pixels=options.pixels,
        seed=options.seed,
        private=options.private,
    )
    if options.invert is None and is_dark_ink(glance(Path(options.path), wanted)):
        wanted = replace(wanted, invert=True)
    own = read_own(options.name, Path(options.path), wanted)
    if any(row.name == own.name and row.key != own.key for row in store.datasets.all()):
        raise BadData(
            f"Another data set is named {own.name!r} already. Choose another name, or remove that one first: "
            f"abp data remove {own.name}"
        )
    key = store.datasets.add(own)
    for sentence in own.notes["refused"]:
        print(f"Left out: {sentence}", file=sys.stderr)
    if own.notes["refused_in_all"] > len(own.notes["refused"]):
        print(f"… and more: {own.notes['refused_in_all']:,} in all.", file=sys.stderr)
    if own.notes["duplicates"]:
        print(f"{own.notes['duplicates']:,} validation or test samples are training samples too.", file=sys.stderr)
    print(f"Kept as {key}. {_line(store.datasets.get(key))}")
    print(f"Train with it: abp train --dataset {own.name}", file=sys.stderr)
    return 0


def _list(options: argparse.Namespace) -> int:
    require_json_target(options.json)
    store = _existing_store()
    rows = [] if store is None else store.datasets.all()
    if options.json is None:
        for row in rows:
            print(_line(row))
        if not rows:
            print("There are no data sets of your own yet. Add one: abp data add NAME PATH", file=sys.stderr)
    write_json(options.json, {"datasets": [asdict(row) for row in rows]})
    return 0


def _remove(options: argparse.Namespace) -> int:
    from abp.store.store import Store

    store = Store()
    row = store.datasets.get(options.name)
    users = store.datasets.users(row.key)
    store.datasets.remove(row.key, with_users=options.with_runs)
    print(f"Removed {row.key}" + (f" and {users}." if users else "."))
    return 0


def _line(row: DatasetRow) -> str:
    counts, shape = row.description["samples"], row.description["image_shape"]
    what = (
        f"pictures of {' × '.join(map(str, shape))}" if shape else f"rows of {len(row.description['columns'])} inputs"
    )
    classes = len(row.description["class_names"])
    private = ", private" if row.private else ""
    return (
        f"{row.name}: {sum(counts.values()):,} {what}, {classes} classes; {counts['train']:,} for training, "
        f"{counts['valid']:,} for validation, {counts['test']:,} for testing; {row.size / 2**20:.1f} MB{private}"
    )
