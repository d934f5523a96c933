"""Heads of versioned records: what a file says that it is, and in which version."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from mvlpt.errors import DataError, MvlptError
from mvlpt.io.display import clean_text, short_repr


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


_WORDS = {
    str: "a string",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "an object",
}


def take_field(
    content: Any,
    key: str,
    kind: type,
    where: str | os.PathLike[str],
    *,
    default: Any = None,
    least: float = -(2**62),
    most: float = 2**62,
    error: type[MvlptError] = DataError,
    remedy: str = "make it again",
) -> Any:
    """A field of a record, of the kind that it must have.

    Args:
        content: the record.
        key: of the field.
        kind: ``str``, ``int``, ``float`` (finite, also a whole number), ``bool``, ``list`` or ``dict``.
        where: what messages call the file.
        default: the value of a missing field; without one the field is needed.
        least, most: bounds of a number.
        error: the type to raise.
        remedy: ends the sentence.

    Raises:
        MvlptError: of type ``error``; the field is missing, of another kind, or out of bounds.
    """
    value = content.get(key, default) if isinstance(content, Mapping) else None
    if kind in (int, float):
        known = (int,) if kind is int else (int, float)
        if isinstance(value, known) and not isinstance(value, bool) and least <= value <= most:
            return value
    elif isinstance(value, kind):
        return value
    wanted = _WORDS[kind]
    if kind in (int, float):
        wanted += f" from {least:,}" if least > -(2**62) else ""
        wanted += f" to {most:,}" if most < 2**62 else ""
    raise error(f"{where}: '{key}' is {short_repr(value, 60)}, but must be {wanted}; {remedy}")
