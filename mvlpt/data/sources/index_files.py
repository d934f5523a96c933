"""Reads the text index files of ELEVATER's data sets and of the embedded tasks.

An index has one image a line, ``path label`` or ``path label,label,...``, split at the last space; the path is
relative to the data set's folder and may name an entry of an archive, ``images.zip@train/0.png``. A label file has one
class name a line. Blank lines are ignored. Every error names the file and the line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from mvlpt.data.datum import Datum
from mvlpt.data.sources.index_paths import IndexPaths
from mvlpt.errors import DataError
from mvlpt.io import read_text

FORM = "each line must be 'path label' or 'path label,label'"
_LABELS = re.compile(r"-?[0-9]{1,9}(?:,-?[0-9]{1,9})*")


def read_labels(path: str | Path) -> list[str]:
    """Class names from a UTF-8 file, one a line.

    Raises:
        DataError: the file is missing, not text or empty.
    """
    names = [line for _, line in _lines(Path(path))]
    if not names:
        raise DataError(f"The label file {path} names no class")
    return names


def read_index(
    path: str | Path,
    classnames: Sequence[str],
    *,
    root: str | Path | None = None,
    multi_label: bool = False,
    check_files: bool = True,
    allow_empty: bool = False,
) -> list[Datum]:
    """Images and labels from an index file, in the order of its lines.

    Args:
        path: the index file.
        classnames: names in label order; a label outside them is refused.
        root: folder the paths are relative to, by default the index file's own.
        multi_label: items have tuples of labels; else each image must have exactly one label.
        check_files: check that every file and archive entry exists.
        allow_empty: accept a file that lists no image.

    Returns:
        Items whose ``impath`` begins with ``root``.

    Raises:
        DataError: a line cannot be read, a label lies outside the class list, a path leaves ``root``, or a file,
            archive or entry is missing.
    """
    path = Path(path)
    paths = IndexPaths(root if root is not None else path.parent, check_files=check_files)
    items: list[Datum] = []
    for number, line in _lines(path):
        where = f"{path}:{number}"
        relative, labels = _parse(line, where)
        for label in labels:
            if not 0 <= label < len(classnames):
                raise DataError(f"{where}: label {label} is outside the {len(classnames)} classes of the label file")
        if not multi_label and len(labels) != 1:
            raise DataError(
                f"{where}: an image of a single-label data set has one label, this one has {len(labels)}; {FORM}"
            )
        impath = paths.impath(relative, where)
        items.append(
            Datum(impath, tuple(labels)) if multi_label else Datum(impath, labels[0], 0, classnames[labels[0]])
        )
    if not items and not allow_empty:
        raise DataError(f"The index file {path} lists no image")
    return items


def _lines(path: Path) -> list[tuple[int, str]]:
    text = read_text(path, missing=f"The file {path} does not exist")
    return [(number, line.strip()) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]


def _parse(line: str, where: str) -> tuple[str, list[int]]:
    relative, space, text = line.rpartition(" ")
    if not space:
        return line, []
    if not _LABELS.fullmatch(text):
        raise DataError(f"{where}: '{text}' is not a label; {FORM}")
    return relative.rstrip(), [int(one) for one in text.split(",")]
