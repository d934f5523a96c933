"""CoOp's split files: JSON with ``train``, ``val`` and ``test``, each a list of ``[path, label, class name]``."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mvlpt.data.datum import Datum
from mvlpt.data.sources.index_paths import safe_join
from mvlpt.errors import DataError
from mvlpt.io import read_json, write_file

logger = logging.getLogger(__name__)

SPLITS = ("train", "val", "test")


def read_split(path: Path, images: Path) -> tuple[dict[str, list[Datum]], list[str]]:
    """The splits of a file, and the class names in label order.

    Args:
        path: the split file.
        images: folder its paths are relative to.

    Raises:
        DataError: the file is missing or not of this form, a path leaves ``images``, a label lacks a name or has two.
    """
    content = read_json(path, error=DataError, missing=f"The split file {path} does not exist", remedy="restore it")
    splits: dict[str, list[Datum]] = {}
    names: dict[int, str] = {}
    for split in SPLITS:
        rows = content.get(split) if isinstance(content, dict) else None
        if not isinstance(rows, list):
            raise DataError(f"The split file {path} has no list '{split}'")
        splits[split] = []
        for number, row in enumerate(rows):
            where = f"{path}, {split}[{number}]"
            relative, label, name = _row(row, where)
            if names.setdefault(label, name) != name:
                raise DataError(f"{where}: label {label} is named '{name}' here and '{names[label]}' before")
            splits[split].append(Datum(safe_join(images, relative, where), label, 0, name))
    if not splits["train"]:
        raise DataError(f"The split file {path} lists no training image")
    absent = sorted(set(range(max(names) + 1)) - set(names))
    if absent:
        raise DataError(f"The split file {path} has no image of class {absent[0]}, so its name is unknown")
    return splits, [names[label] for label in range(len(names))]


def write_split(path: Path, splits: Mapping[str, Sequence[Datum]], images: Path, rule: str) -> bool:
    """Writes a split file of our own making, whole or not at all.

    Args:
        path: where to.
        splits: items whose paths lie below ``images``.
        images: folder the written paths are relative to.
        rule: how the split was made, in words; kept in the file.

    Returns:
        Whether it could be written; a data folder may be read-only.
    """
    content: dict[str, Any] = {"rule": rule}
    for split in SPLITS:
        content[split] = [
            [item.impath[len(str(images)) + 1 :], item.label, item.classname] for item in splits.get(split, ())
        ]
    return write_text(path, rows_a_line(content))


def write_text(path: Path, text: str) -> bool:
    """Writes a file under a temporary name and renames it; returns whether that was possible."""
    try:
        write_file(path, text, error=DataError, remedy="the run continues without it")
    except DataError as error:
        logger.warning("%s", error)
        return False
    return True


def rows_a_line(content: Mapping[str, Any]) -> str:
    """JSON with one row of a list on each line: readable, and small in a diff."""
    parts = []
    for key, value in content.items():
        if isinstance(value, list) and value:
            rows = ",\n  ".join(json.dumps(row, ensure_ascii=False) for row in value)
            parts.append(f" {json.dumps(key)}: [\n  {rows}\n ]")
        else:
            parts.append(f" {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _row(row: Any, where: str) -> tuple[str, int, str]:
    if isinstance(row, list) and len(row) == 3:
        relative, label, name = row
        if isinstance(relative, str) and isinstance(name, str) and isinstance(label, int) and label >= 0:
            return relative, label, name
    raise DataError(f"{where} is {row!r}; it should be [path, label, class name]")
