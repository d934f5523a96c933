"""Few-shot samples on disk: readable JSON that records which images a run trained on, and catches when they change.

A sample is always drawn by its rule, never read from a file: the file is compared with the drawn sample, and a
difference is an error that explains it. Paths are relative, so the files of two machines can be compared.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mvlpt.data.datum import Datum, labels_of
from mvlpt.data.json_rows import format_json_rows, write_if_possible
from mvlpt.errors import DataError
from mvlpt.io import file_name, read_json

FORMAT_VERSION = 1


def sample_record(
    train: Sequence[Datum], val: Sequence[Datum], *, root: str, task: str, protocol: str, shots: int, seed: int
) -> dict[str, Any]:
    """The content of a sample file: the sample, the settings that determine it, and a hash over both.

    Args:
        train, val: the drawn images.
        root: folder the written paths are relative to; if one lies outside, the folder that all of them share.
        task, protocol, shots, seed: the settings that determine the sample.
    """
    record: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "task": task,
        "protocol": protocol,
        "shots": shots,
        "seed": seed,
    }
    base = common_base([item.impath for item in (*train, *val)], root)
    for split, items in (("train", train), ("val", val)):
        record[split] = [[item.impath[len(base) :].replace(os.sep, "/"), *labels_of(item)] for item in items]
    return {**record, "hash": _hash(record)}


def save_sample(folder: Path, name: str, record: dict[str, Any]) -> Path:
    """Writes a record, or, where the file is there already, checks that it holds the same sample.

    Args:
        folder: where samples are kept.
        name: names the file; characters that file systems do not allow are replaced.
        record: as :func:`sample_record` makes it.

    Raises:
        DataError: the file is damaged, or holds another sample.
    """
    path = folder / file_name(name, ".json")
    if not path.exists():
        write_if_possible(path, format_json_rows(record))
        return path
    kept = read_json(path, error=DataError, remedy="delete it to draw again")
    if not isinstance(kept, dict):
        raise DataError(
            f"The sample file {path} holds a {type(kept).__name__} instead of a sample; delete it to draw again"
        )
    if kept.get("hash") != _hash({k: v for k, v in kept.items() if k != "hash"}):
        raise DataError(f"The sample file {path} does not match its own hash: it was edited; delete it to draw again")
    if kept != record:
        raise DataError(
            f"The sample file {path} holds {_difference(kept, record)}: the data set's files have changed since, or "
            f"the file belongs to another run; delete it to train on the sample drawn now"
        )
    return path


def _difference(kept: dict[str, Any], drawn: dict[str, Any]) -> str:
    for key in ("format_version", "task", "protocol", "shots", "seed"):
        if kept.get(key) != drawn[key]:
            return f"a sample with {key} {kept.get(key)!r} instead of {drawn[key]!r}"
    for split in ("train", "val"):
        old, new = kept.get(split, []), drawn[split]
        if old != new:
            index = next((i for i, pair in enumerate(zip(old, new, strict=False)) if pair[0] != pair[1]), None)
            first = f", first {old[index]!r} instead of {new[index]!r}" if index is not None else ""
            return f"another {split} sample ({len(old)} images, {len(new)} drawn now{first})"
    return "something else"


def _hash(record: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def common_base(paths: Sequence[str], root: str) -> str:
    """The common prefix of all paths, with its last slash, which is removed from them."""
    prefix = root.rstrip("/") + "/"
    if root and all(path.startswith(prefix) for path in paths):
        return prefix
    common = os.path.commonpath([os.path.dirname(path) for path in paths]) if paths else ""
    return common and f"{common}/"
