"""Few-shot samples that others published: which images a task is trained on, read from a file in one of four forms.

- pickles that CoOp keeps beside its data, ``split_fewshot/shot_16-seed_1.pkl``: ``{"train": [Datum], "val": [Datum]}``
- JSON lines, one object a line: ``{"split": "train", "path": "cat/1.jpg", "label": 3, "classname": "cat"}``
- JSON ``{"train": {"data": [{"impath", "label", "classname"}]}, …}`` of cross-modal adaptation (Lin et al., CVPR 2023)
- JSON with lists of ``[path, label, class name]``, as CoOp's split files, or of ``[path, label, …]``, as runs keep them
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mvlpt.data.datum import Datum
from mvlpt.data.sampling.sample_files import common_base
from mvlpt.data.sources.class_folders import normalized_name
from mvlpt.data.sources.manifest import COLUMNS, SPLITS
from mvlpt.errors import DataError, suggest
from mvlpt.io import json_text, read_json, read_json_lines, short_repr

SUFFIXES = (".jsonl", ".ndjson", ".json", ".pkl", ".pickle")
REMEDY = "get the file of the sample again, or draw one with `mvlpt tasks samples`"
LONGEST_PATH = 4096
MOST_CLASSES = 10_000_000


class SampleRow(NamedTuple):
    """One image of a published sample.

    Attributes:
        where: file and row, for messages.
        split: ``train``, ``val`` or ``test``.
        path: as it is written, with slashes.
        labels: class numbers; ``None`` where the row gives none.
        name: of the class, or ``""``.
    """

    where: str
    split: str
    path: str
    labels: tuple[int, ...] | None
    name: str


class Sample(NamedTuple):
    """A published sample: its images, and what the file says about itself (``task``, ``shots``), where it does."""

    rows: list[SampleRow]
    about: Mapping[str, Any]


def read_sample(path: Path) -> Sample:
    """The images that a file lists.

    Raises:
        DataError: the file is missing, of no known form, or a row is not.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise DataError(f"The sample {path} ends in none of {', '.join(SUFFIXES)}; name a file of a few-shot sample")
    options = {"error": DataError, "missing": f"The sample {path} does not exist; {REMEDY}", "remedy": REMEDY}
    about: Mapping[str, Any] = {}
    if suffix in (".jsonl", ".ndjson"):
        lines = read_json_lines(path, **options)
        rows = [_row(content, f"{path}, line {number}") for number, content in lines]
    else:
        if suffix == ".json":
            content = read_json(path, **options)
        else:
            from mvlpt.io import read_pickle  # loads torch, which a command's help does without

            content = read_pickle(path, **options)
        if not isinstance(content, dict) or not isinstance(_listed(content.get("train")), list):
            raise DataError(f"The sample {path} has no list 'train'; {REMEDY}")
        rows = list(_rows(content, path))
        about = {key: content[key] for key in ("task", "shots") if isinstance(content.get(key), str | int)}
    if not any(row.split == "train" for row in rows):
        raise DataError(f"The sample {path} lists no training image; {REMEDY}")
    return Sample(rows, about)


def _listed(value: Any) -> Any:
    """The rows of a split, which may be below ``data``."""
    return value.get("data") if isinstance(value, dict) else value


def _rows(content: Mapping[Any, Any], path: Path) -> Iterator[SampleRow]:
    for key, value in content.items():
        split, listed = SPLITS.get(key) if isinstance(key, str) else None, _listed(value)
        if split is None:
            continue
        if not isinstance(listed, list):
            raise DataError(f"The sample {path} has no list '{key}'; {REMEDY}")
        for number, row in enumerate(listed):
            yield _row(row, f"{path}, {key}[{number}]", split)


def _row(content: Any, where: str, split: str = "") -> SampleRow:
    """One row: an object, the fields of a pickled one, or a list."""
    content = getattr(content, "fields", content)
    if isinstance(content, list | tuple) and content:
        path, *rest = content
        if rest and isinstance(rest[-1], str):
            content = {"path": path, "label": rest[:-1], "classname": rest[-1]}
        else:
            content = {"path": path, "label": rest}
    if not isinstance(content, dict):
        raise DataError(f"{where} is {_shown(content)}; a row is an object with path, label and classname")
    named = {normalized_name(key): value for key, value in reversed(content.items()) if isinstance(key, str)}
    path = next((named[name] for name in COLUMNS["path"] if name in named), None)
    if not isinstance(path, str) or not path.strip() or len(path) > LONGEST_PATH:
        raise DataError(f"{where} has no path of an image; {REMEDY}")
    labels, name = _classes(named, where)
    return SampleRow(where, split or _split(named, where), path.strip().replace("\\", "/"), labels, name)


def _split(named: Mapping[str, Any], where: str) -> str:
    """The split that a row names; ``train`` where it names none. A number in a column such as ``fold`` is no split."""
    for column in COLUMNS["split"]:
        value = named.get(column)
        written = value.strip().lower() if isinstance(value, str) else ""
        if written in SPLITS:
            return SPLITS[written]
        if column == "split" and value is not None:
            raise DataError(f"{where}: there is no split {_shown(value)}{suggest(written, SPLITS)}")
    return "train"


def _classes(named: Mapping[str, Any], where: str) -> tuple[tuple[int, ...] | None, str]:
    """The class numbers and the class name of a row, whichever columns they are in."""
    labels: tuple[int, ...] | None = None
    name = ""
    for key in COLUMNS["label"]:
        value = named.get(key)
        numbers = value if isinstance(value, list | tuple) else [value]
        if value is None:
            continue
        if isinstance(value, str):
            name = name or value.strip()
        elif all(type(one) is int and 0 <= one < MOST_CLASSES for one in numbers):
            labels = tuple(numbers) if labels is None else labels
        else:
            raise DataError(f"{where}: the label {_shown(value)} is neither the number nor the name of a class")
    return labels, name


def _shown(value: Any) -> str:
    """A plain value itself; of others only the kind, since a short pickle can hold very long ones."""
    return short_repr(value, 80) if isinstance(value, str | int | float | None) else f"a {type(value).__name__}"


def format_sample(train: Sequence[Datum], val: Sequence[Datum], root: str) -> str:
    """A sample as JSON lines, one image a line, with paths relative to the data set's folder.

    Args:
        train, val: the drawn images.
        root: the folder; where an image lies outside, the one that all of them share.
    """
    base = common_base([item.impath for item in (*train, *val)], root)
    lines = []
    for split, items in (("train", train), ("val", val)):
        for item in items:
            path = item.impath[len(base) :].replace(os.sep, "/")
            row = {"split": split, "path": path, "label": item.label, "classname": item.classname}
            lines.append(json_text({key: value for key, value in row.items() if value != ""}) + "\n")
    return "".join(lines)
