"""Heads of versioned records: what a file says that it is, and in which version."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from mvlpt.errors import DataError, MvlptError
from mvlpt.io.display import clean_text


def check_head(
    content: Any,
    where: str | os.PathLike[str],
    kind: str,
    *,
    format: Any,
    version: int | None = None,
    error: type[MvlptError] = DataError,
    remedy: str = "make it again",
) -> Mapping[str, Any]:
    """Checks the ``format`` and ``version`` of a record and returns it.

    Args:
        content: what the file holds.
        where: what messages call the file.
        kind: what the file should be, with its article: ``"a plan"``.
        format: the value of ``format``, a name or, in records without one, a version number.
        version: the value of ``version``, where the record has one.
        error: the type to raise.
        remedy: ends the sentence.

    Raises:
        MvlptError: of type ``error``; it is no mapping, of another format, or of another version.
    """
    head = content if isinstance(content, Mapping) else {}
    found = head.get("format")
    if isinstance(format, int) and "format" in head and found != format:
        raise error(_other_version(where, kind, found, format, remedy))
    if type(found) is not type(format) or found != format:
        raise error(f"{where} is not {kind}: it does not say 'format: {format}'; {remedy}")
    if version is not None and (type(head.get("version")) is not int or head["version"] != version):
        raise error(_other_version(where, kind, head.get("version"), version, remedy))
    return head


def _other_version(where: str | os.PathLike[str], kind: str, found: Any, version: int, remedy: str) -> str:
    shown = clean_text(repr(found), 60)
    return f"{where} is {kind} of version {shown}, but this program reads version {version}; {remedy}"
