"""YAML files that a program writes and people edit: an edited one is kept until somebody asks for it to be replaced.

The last line of such a file is a comment with a checksum of the others: the file says itself whether it was edited.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from mvlpt.io.files import write_file
from mvlpt.io.reading import read_text

log = logging.getLogger(__name__)
_LAST = re.compile(r"# as it was written: ([0-9a-f]{16}); an edited file is kept\n?\Z")
_replace: ContextVar[bool] = ContextVar("mvlpt_replace_edited", default=False)


@contextmanager
def replacing_edited(replace: bool = True) -> Iterator[None]:
    """Context in which edited files are replaced, too."""
    token = _replace.set(replace)
    try:
        yield
    finally:
        _replace.reset(token)


def write_unless_edited(path: str | os.PathLike[str], content: str) -> bool:
    """Writes a YAML file, unless somebody has edited the one that is there; then a warning says so.

    Args:
        path: the file.
        content: the whole of it, which ends with its line.

    Returns:
        Whether the file has the content now.

    Raises:
        RunFolderError: it cannot be written.
    """
    file = Path(path)
    if not _replace.get() and is_edited(file):
        log.warning("%s was edited by hand and is kept; add --force to replace it, or name another folder", file)
        return False
    write_file(file, f"{content}{_last_line(content)}")
    return True


def is_edited(path: str | os.PathLike[str]) -> bool:
    """Whether a file was changed since :func:`write_unless_edited` wrote it, or was never written by it."""
    file = Path(path)
    if not file.is_file():
        return False
    text = read_text(file)
    last = _LAST.search(text)
    return last is None or _checksum(text[: last.start()]) != last.group(1)


def mark_as_written(path: str | os.PathLike[str]) -> None:
    """Adds the line that says that a file is as it was written."""
    text = read_text(path)
    if _LAST.search(text) is None:
        write_file(Path(path), f"{text}{_last_line(text)}")


def _last_line(content: str) -> str:
    return f"# as it was written: {_checksum(content)}; an edited file is kept\n"


def _checksum(content: str) -> str:
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:16]
