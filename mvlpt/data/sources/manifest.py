"""Reads manifests: CSV or JSON-lines files that list images with their labels and, optionally, their splits.

CSV: a header with ``path``, ``label`` and optionally ``split``, or no header and the columns in this order. JSON
lines: objects with these keys. Other columns are ignored, and ``COLUMNS`` lists alternative names. Several labels of an
image are separated by ``;``, or are a JSON list. A label is a class name, a synonym or a class number. A path is
relative to the folder of the images and may name an entry of an archive, ``images.zip@a/b.jpg``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mvlpt.data.datum import Datum
from mvlpt.data.sources.class_folders import SPLIT_FOLDERS
from mvlpt.data.sources.class_list import ClassList
from mvlpt.data.sources.index_paths import IndexPaths
from mvlpt.errors import DataError, suggest
from mvlpt.io import parse_csv, parse_json, read_text

COLUMNS = {
    "path": ("path", "image", "img", "file", "filename", "file_name", "impath"),
    "label": ("label", "labels", "class", "category"),
    "split": ("split",),
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
    rows = list(_json_rows(text, path) if path.suffix.lower() in (".jsonl", ".ndjson") else _csv_rows(text, path))
    if not rows:
        raise DataError(f"The manifest {path} lists no image")
    return rows


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
        if impath in seen:
            raise DataError(f"{row.where}: {row.path} is already listed in {seen[impath]}")
        seen[impath] = row.where
        item = Datum(impath, labels) if multi_label else Datum(impath, labels[0], 0, classes.names[labels[0]])
        splits.setdefault(row.split, []).append(item)
    return splits


def _csv_rows(text: str, path: Path) -> Iterator[ManifestRow]:
    header: list[str] | None = None
    for number, cells in parse_csv(text, path, remedy="correct the line", skip_spaces=True):
        where = f"{path}:{number}"
        if header is None:
            named = [cell.strip().lower() for cell in cells]
            header = named if set(named) & set(COLUMNS["path"]) else list(COLUMNS)
            if header is named:
                continue
        if not 2 <= len(cells) <= len(header):
            wanted = ",".join(header)
            raise DataError(
                f"{where}: {len(cells)} columns, but {len(header)} are expected, separated by commas: {wanted}"
            )
        yield _row(dict(zip(header, cells, strict=False)), where)


def _json_rows(text: str, path: Path) -> Iterator[ManifestRow]:
    for number, line in enumerate(
        text.split("\n"), start=1
    ):  # splitlines also splits at characters that a string may contain
        if not line.strip():
            continue
        where = f"{path}:{number}"
        content = parse_json(line, where, remedy="correct the line")
        if not isinstance(content, dict):
            raise DataError(f"{where}: a line must be a JSON object with 'path' and 'label'")
        yield _row(content, where)


def _row(content: dict[str, Any], where: str) -> ManifestRow:
    names = {meaning: next((name for name in known if name in content), None) for meaning, known in COLUMNS.items()}
    for meaning in ("path", "label"):
        if names[meaning] is None:
            raise DataError(f"{where}: a manifest needs the columns 'path' and 'label', it has {', '.join(content)}")
    path, raw = content[names["path"]], content[names["label"]]
    if not isinstance(path, str) or not path.strip():
        raise DataError(f"{where}: the path is empty")
    words = raw if isinstance(raw, list) else [] if raw is None else str(raw).split(";") if _is_word(raw) else [raw]
    wrong = next((word for word in words if not _is_word(word)), None)
    if wrong is not None:
        raise DataError(f"{where}: the label {wrong!r} is neither a name nor a number")
    split = str(content.get("split") or "").strip().lower()
    known = {name: one for one, spellings in SPLIT_FOLDERS.items() for name in spellings}
    if split and split not in known:
        raise DataError(f"{where}: there is no split '{split}'{suggest(split, known)}")
    spelled = (str(word).strip() for word in words)
    return ManifestRow(where, path.strip(), tuple(filter(None, spelled)), known.get(split, ""))


def _is_word(value: Any) -> bool:
    return isinstance(value, (str, int, float)) and not isinstance(value, bool)
