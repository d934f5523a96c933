"""Reads manifests: CSV or JSON-lines files that list images with their labels and, optionally, their splits.

CSV: a header with ``path``, ``label`` and optionally ``split``, or no header and the columns in this order. JSON
lines: objects with these keys. ``COLUMNS`` lists other names for them, in any case and with any signs between words
(``Image Path``, ``subset``). A warning names the columns that are not used. Several labels of an
image are separated by ``;``, or are a JSON list. A label is a class name, a synonym or a class number. A path is
relative to the folder of the images and may name an entry of an archive, ``images.zip@a/b.jpg``.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from mvlpt.data.datum import Datum
from mvlpt.data.sources.class_folders import SPLIT_FOLDERS, normalized_name
from mvlpt.data.sources.class_list import ClassList
from mvlpt.data.sources.index_paths import IndexPaths
from mvlpt.errors import DataError, suggest
from mvlpt.io import parse_csv, parse_json, read_text

logger = logging.getLogger(__name__)

# In the order of preference; normalized.
COLUMNS = {
    "path": (
        *("path", "image", "img", "file", "filename", "impath", "filepath", "imagepath", "imgpath", "imagefile"),
        *("imagename", "imgname", "imagefilename", "images"),
    ),
    "label": ("label", "labels", "class", "category", "classname", "labelname", "categoryname", "target", "classes"),
    "split": (
        "split",
        "subset",
        "set",
        "partition",
        "datasplit",
        "datasetsplit",
        "splitname",
        "phase",
        "usage",
        "fold",
    ),
}
SPLITS = {
    **{name: split for split, names in SPLIT_FOLDERS.items() for name in names},
    "trn": "train",
    "tr": "train",
    "eval": "test",
    "evaluation": "test",
    "holdout": "test",
    "tst": "test",
}


class ManifestRow(NamedTuple):
    """One line: its location (file and line), path, class words, and split or ``""``."""

    where: str
    path: str
    words: tuple[str, ...]
    split: str


def read_manifest(path: Path) -> list[ManifestRow]:
    """The lines of a manifest.

    Raises:
        DataError: the file is missing, empty, or a line is not of its form.
    """
    text = read_text(path, missing=f"The manifest {path} does not exist")
    lines = list(_json_rows(text, path) if path.suffix.lower() in (".jsonl", ".ndjson") else _csv_rows(text, path))
    if not lines:
        raise DataError(f"The manifest {path} lists no image")
    names = _named_columns(lines)
    _report_unused(path, lines, names)
    return [_row(content, names, where) for where, content in lines]


def manifest_items(
    rows: Sequence[ManifestRow], classes: ClassList, root: Path, *, multi_label: bool
) -> dict[str, list[Datum]]:
    """Items by split; those without a split are under ``""``.

    Args:
        rows: the lines.
        classes: the classes.
        root: folder the paths are relative to.
        multi_label: items have tuples of labels; else each image must have exactly one label.

    Raises:
        DataError: a label is unknown, a path leaves ``root``, is listed twice or does not exist.
    """
    splits: dict[str, list[Datum]] = {}
    seen: dict[str, str] = {}
    paths = IndexPaths(root)
    for row in rows:
        labels = tuple(dict.fromkeys(classes.label(word, row.where) for word in row.words))
        if not multi_label and len(labels) != 1:
            raise DataError(f"{row.where}: an image of a single-label task has one label, this one has {len(labels)}")
        impath = paths.impath(row.path, row.where)
        file = os.path.normpath(impath)
        if file in seen:
            raise DataError(f"{row.where}: {row.path} is already listed in {seen[file]}")
        seen[file] = row.where
        item = Datum(impath, labels) if multi_label else Datum(impath, labels[0], 0, classes.names[labels[0]])
        splits.setdefault(row.split, []).append(item)
    return splits


def _csv_rows(text: str, path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    header: list[str] | None = None
    for number, cells in parse_csv(text, path, remedy="correct the line", skip_spaces=True):
        where = f"{path}:{number}"
        if header is None:
            named = [cell.strip() for cell in cells]
            header = named if _is_header(named) else list(COLUMNS)
            if header is named:
                _check_header(header, where)
                continue
        if not 2 <= len(cells) <= len(header):
            wanted = ",".join(header)
            raise DataError(
                f"{where}: {len(cells)} columns, but {len(header)} are expected, separated by commas: {wanted}"
            )
        yield where, dict(zip(header, cells, strict=False))


def _is_header(cells: Sequence[str]) -> bool:
    """Whether a line names columns: one of paths, or others while its first cell is no path."""
    names = [normalized_name(cell) for cell in cells]
    others = any(name in COLUMNS["label"] or name in COLUMNS["split"] for name in names)
    return any(name in COLUMNS["path"] for name in names) or (others and not re.search(r"[./]", cells[0]))


def _check_header(header: Sequence[str], where: str) -> None:
    """Refuses two columns of one meaning under one name, of which the last would count."""
    names = [normalized_name(cell) for cell in header]
    known = {name for spellings in COLUMNS.values() for name in spellings}
    again = next((place for place, name in enumerate(names) if name in known and name in names[:place]), None)
    if again is not None:
        first = header[names.index(names[again])]
        raise DataError(f"{where}: the columns '{first}' and '{header[again]}' mean the same; rename one of them")


def _json_rows(text: str, path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in enumerate(
        text.split("\n"), start=1
    ):  # splitlines also splits at characters that a string may contain
        if not line.strip():
            continue
        where = f"{path}:{number}"
        content = parse_json(line, where, remedy="correct the line")
        if not isinstance(content, dict):
            raise DataError(f"{where}: a line must be a JSON object with 'path' and 'label'")
        yield where, content


def _named_columns(lines: Sequence[tuple[str, dict[str, Any]]]) -> dict[str, tuple[str, ...]]:
    """The columns of each meaning, the preferred ones first.

    A column that may hold splits, but of which no value is one, such as a fold's number, has no meaning.
    """
    present = {normalized_name(key): key for key in reversed(_keys(lines))}
    names = {meaning: tuple(present[n] for n in known if n in present) for meaning, known in COLUMNS.items()}
    splits = tuple(
        column
        for column in names["split"]
        if normalized_name(column) == "split" or any(_split_of(content.get(column)) in SPLITS for _, content in lines)
    )
    return {**names, "split": splits}


def _keys(lines: Sequence[tuple[str, dict[str, Any]]]) -> list[str]:
    """The columns of all lines, in the order of their first appearance."""
    return list(dict.fromkeys(chain.from_iterable(content for _, content in lines)))


def _report_unused(
    path: Path, lines: Sequence[tuple[str, dict[str, Any]]], names: Mapping[str, tuple[str, ...]]
) -> None:
    """Names the columns that are not used."""
    used = {columns[0] for columns in names.values() if columns}
    unused = [key for key in _keys(lines) if key not in used]
    if unused:
        logger.warning("%s: columns that are not used: %s", path, ", ".join(unused))


def _split_of(value: Any) -> str:
    return str(value if value is not None else "").strip().lower()


def _row(content: dict[str, Any], names: Mapping[str, tuple[str, ...]], where: str) -> ManifestRow:
    columns = {meaning: next((name for name in known if name in content), None) for meaning, known in names.items()}
    for meaning in ("path", "label"):
        if columns[meaning] is None:
            raise DataError(f"{where}: a manifest needs the columns 'path' and 'label', it has {', '.join(content)}")
    path, raw = content[columns["path"]], content[columns["label"]]
    if not isinstance(path, str) or not path.strip():
        raise DataError(f"{where}: the path is empty")
    words = raw if isinstance(raw, list) else [] if raw is None else str(raw).split(";") if _is_word(raw) else [raw]
    wrong = next((word for word in words if not _is_word(word)), None)
    if wrong is not None:
        raise DataError(f"{where}: the label {wrong!r} is neither a name nor a number")
    split = _split_of(content.get(columns["split"])) if columns["split"] else ""
    if split and split not in SPLITS:
        raise DataError(f"{where}: there is no split '{split}'{suggest(split, SPLITS)}")
    spelled = (str(word).strip() for word in words)
    return ManifestRow(where, path.strip(), tuple(filter(None, spelled)), SPLITS.get(split, ""))


def _is_word(value: Any) -> bool:
    return isinstance(value, (str, int, float)) and not isinstance(value, bool)
