"""CoOp's split files: JSON with ``train``, ``val`` and ``test``, each a list of ``[path, label, class name]``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mvlpt.data.datum import Datum
from mvlpt.data.json_rows import format_json_rows, write_if_possible
from mvlpt.data.sources.index_paths import safe_join
from mvlpt.errors import DataError
from mvlpt.io import read_json, short_repr

SPLITS = ("train", "val", "test")


def read_split(path: Path, images: Path) -> tuple[dict[str, list[Datum]], list[str]]:
    """The splits of a file, and the class names in label order.

    Args:
        path: the split file.
        images: folder its paths are relative to.

    Raises:
        DataError: the file is missing or not of this form, a path leaves ``images``, or a label does not
            have one name.
    """
    content = read_json(
        path,
        error=DataError,
        missing=f"The split file {path} does not exist",
        remedy="restore the file, or delete it to make the split by rule",
    )
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
                raise DataError(
                    f"{where}: label {label} is named '{name}' here, but '{names[label]}' earlier in the file"
                )
            splits[split].append(Datum(safe_join(images, relative, where), label, 0, name))
    if not splits["train"]:
        raise DataError(f"The split file {path} lists no training image")
    absent = next(label for label in range(len(names) + 1) if label not in names)
    if absent < len(names):
        raise DataError(f"The split file {path} has no image of class {absent}, so its name is unknown")
    return splits, [names[label] for label in range(len(names))]


def write_split(path: Path, splits: Mapping[str, Sequence[Datum]], images: Path, rule: str) -> bool:
    """Writes a split that was made by rule.

    Args:
        path: the file.
        splits: items whose paths lie below ``images``.
        images: folder the written paths are relative to.
        rule: description of how the split was made, stored in the file.

    Returns:
        Whether it could be written; a data folder may be read-only.
    """
    content: dict[str, Any] = {"rule": rule}
    for split in SPLITS:
        content[split] = [
            [item.impath[len(str(images)) + 1 :], item.label, item.classname] for item in splits.get(split, ())
        ]
    return write_if_possible(path, format_json_rows(content))


def _row(row: Any, where: str) -> tuple[str, int, str]:
    if isinstance(row, list) and len(row) == 3:
        relative, label, name = row
        if isinstance(relative, str) and isinstance(name, str) and type(label) is int and label >= 0:
            return relative, label, name
    raise DataError(f"{where} is {short_repr(row)}; it should be [path, label, class name]")
