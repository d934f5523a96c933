"""Files that a program writes and people may edit: an edited one is kept until somebody asks for it to be replaced."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from mvlpt.errors import MvlptError
from mvlpt.io.files import write_file, write_json
from mvlpt.io.json_files import read_json
from mvlpt.io.reading import file_digest

log = logging.getLogger(__name__)
RECORD = ".written.json"  # in each folder: the hashes of the files as they were written
_replace: ContextVar[bool] = ContextVar("mvlpt_replace_edited", default=False)


@contextmanager
def replacing_edited(replace: bool = True) -> Iterator[None]:
    """Context in which edited files are replaced, too."""
    token = _replace.set(replace)
    try:
        yield
    finally:
        _replace.reset(token)


def write_unless_edited(path: str | os.PathLike[str], content: str, *, strict: bool = True) -> bool:
    """Writes a file, unless somebody has edited it since it was written; then a warning says so.

    Args:
        path: the file.
        content: the whole of it.
        strict: a file of which nothing is recorded counts as edited.

    Returns:
        Whether the file has the content now.

    Raises:
        RunFolderError: it cannot be written.
    """
    file = Path(path)
    if is_edited(file, strict=strict) and file.read_bytes() != content.encode() and not _replace.get():
        log.warning("%s was edited by hand and is kept; add --force to replace it, or name another folder", file)
        return False
    write_file(file, content)
    if file.is_file():
        mark_as_written(file)
    return True


def is_edited(path: str | os.PathLike[str], *, strict: bool = True) -> bool:
    """Whether a file was changed since :func:`write_unless_edited` wrote it."""
    file = Path(path)
    if not file.is_file():
        return False
    known = _record(file.parent).get(file.name)
    return strict if known is None else known != file_digest(file)


def mark_as_written(path: str | os.PathLike[str]) -> None:
    """Records that a file is as it was written."""
    file = Path(path)
    write_json({**_record(file.parent), file.name: file_digest(file)}, file.parent / RECORD)


def _record(folder: Path) -> dict[str, Any]:
    try:
        content = read_json(folder / RECORD) if (folder / RECORD).exists() else {}
    except MvlptError:  # damaged: then nothing is known
        return {}
    return content if isinstance(content, dict) else {}
