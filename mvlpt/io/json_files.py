"""JSON and JSON lines, read within bounds; every refusal is one sentence that names file, place and remedy."""

from __future__ import annotations

import io
import json
import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

from mvlpt.errors import DataError, MvlptError, RunFolderError
from mvlpt.io.display import short_repr
from mvlpt.io.limits import limit
from mvlpt.io.reading import REMEDY, read_bytes

DEEPEST = 64  # lists and objects within each other
LONGEST_NUMBER = 300  # digits; floating-point numbers have no more


def parse_json(
    content: str | bytes,
    where: str | os.PathLike[str],
    *,
    error: type[MvlptError] = DataError,
    remedy: str = REMEDY,
    constants: bool = True,
    values: int | None = None,
) -> Any:
    """The value that JSON text holds.

    Args:
        content: the text, or its UTF-8 bytes.
        where: what messages call it, such as the file's name.
        error: the type to raise.
        remedy: ends the sentence.
        constants: accept ``NaN`` and ``Infinity``, which Python writes though JSON lacks them.
        values: more values and keys are refused; by default ``MVLPT_MAX_VALUES``.

    Raises:
        MvlptError: of type ``error``; it is not JSON, nested too deeply, or holds too many values or a number of too
            many digits.
    """
    most = limit("MVLPT_MAX_VALUES") if values is None else values
    try:
        marks = (b",", b"[", b"{", b":") if isinstance(content, bytes) else (",", "[", "{", ":")
        if len(content) > most and sum(map(content.count, marks)) > most:  # before any value takes memory
            raise ValueError(f"it has more than {most:,} values (MVLPT_MAX_VALUES raises the limit)")
        text = content.decode("utf-8-sig") if isinstance(content, bytes) else content
        constant = None if constants else _refuse_constant
        value = json.loads(text, parse_constant=constant, parse_int=_whole_number, object_pairs_hook=_without_repeats)
        if not is_shallow(value):
            raise RecursionError
        return value
    except json.JSONDecodeError as problem:
        lines = f"line {problem.lineno}, " if "\n" in text else ""
        reason = f"{lines}column {problem.colno}: {problem.msg}"
    except UnicodeDecodeError as problem:
        reason = f"byte {problem.start} is not UTF-8"
    except RecursionError:
        reason = f"more than {DEEPEST} lists or objects are nested in each other"
    except ValueError as problem:
        reason = str(problem)
    raise error(f"{where} is not readable JSON: {reason}; {remedy}") from None


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"the key {short_repr(twice, 80)} is given twice")
    return found


def _whole_number(digits: str) -> int:
    if len(digits) > LONGEST_NUMBER:
        raise ValueError("a number has too many digits")
    return int(digits)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number")


def is_shallow(value: Any) -> bool:
    """Whether no more than :data:`DEEPEST` lists and objects are nested in each other."""
    level = [value]
    for _ in range(DEEPEST):
        level = [
            child
            for node in level
            if isinstance(node, dict | list)
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, dict | list)
        ]
        if not level:
            return True
    return False


def read_json(
    path: str | os.PathLike[str],
    *,
    error: type[MvlptError] = RunFolderError,
    largest: int | None = None,
    missing: str = "",
    remedy: str = REMEDY,
    constants: bool = True,
    values: int | None = None,
) -> Any:
    """The value in a JSON file.

    Args:
        path: the file.
        error: the type to raise.
        largest: a longer file is refused, in bytes; by default ``MVLPT_MAX_TEXT_MB``.
        missing: the whole sentence for a file that does not exist.
        remedy: ends every other sentence.
        constants: accept ``NaN`` and ``Infinity``.
        values: see :func:`parse_json`.

    Raises:
        MvlptError: of type ``error``; the file is missing, not a regular file, too large, or not JSON.
    """
    content = read_bytes(path, error=error, largest=largest, missing=missing, remedy=remedy)
    return parse_json(content, str(path), error=error, remedy=remedy, constants=constants, values=values)


def read_json_lines(
    path: str | os.PathLike[str],
    *,
    error: type[MvlptError] = RunFolderError,
    largest: int | None = None,
    missing: str = "",
    remedy: str = REMEDY,
) -> Iterator[tuple[int, Any]]:
    """The values of a file with one JSON value a line, each with its line number from 1; empty lines are skipped.

    Raises:
        MvlptError: of type ``error``, as :func:`read_json`; the sentence names the line.
    """
    content = read_bytes(path, error=error, largest=largest, missing=missing, remedy=remedy)
    for number, line in enumerate(io.BytesIO(content), start=1):
        if line.strip():
            yield number, parse_json(line.removesuffix(b"\n"), f"{path}, line {number}", error=error, remedy=remedy)
