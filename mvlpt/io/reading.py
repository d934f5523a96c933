"""Reads files within bounds: regular files only, of a limited size, and every refusal one sentence."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from mvlpt.errors import DataError, MvlptError
from mvlpt.io.limits import limit
from mvlpt.io.names import is_possible_path

PIECE = 2**22
REMEDY = "check the path and the file"


def read_bytes(
    path: str | os.PathLike[str],
    *,
    error: type[MvlptError] = DataError,
    largest: int | None = None,
    missing: str = "",
    remedy: str = REMEDY,
) -> bytes:
    """The content of a regular file.

    Args:
        path: the file.
        error: the type to raise.
        largest: a longer file is refused, in bytes; by default ``MVLPT_MAX_TEXT_MB``.
        missing: the whole sentence for a file that does not exist.
        remedy: ends every other sentence.

    Raises:
        MvlptError: of type ``error``; the file is missing, a folder, a device, a pipe, too large, or unreadable. Its
            cause is an ``OSError`` only where the system could not read it, which may pass.
    """
    variable = " (MVLPT_MAX_TEXT_MB raises the limit)" if largest is None else ""
    largest = limit("MVLPT_MAX_TEXT_MB") * 2**20 if largest is None else largest
    with open_regular(path, error=error, missing=missing, remedy=remedy) as handle:
        size = os.fstat(handle.fileno()).st_size
        if size > largest:
            raise error(f"{path} has {size:,} bytes, more than the {largest:,} that are read{variable}; {remedy}")
        content = _read_at_most(handle, largest + 1)
    if len(content) > largest:
        raise error(f"{path} grew beyond the {largest:,} bytes that are read; {remedy}")
    return content


@contextmanager
def open_regular(
    path: str | os.PathLike[str],
    *,
    error: type[MvlptError] = DataError,
    missing: str = "",
    remedy: str = REMEDY,
) -> Iterator[IO[bytes]]:
    """A regular file opened for reading bytes; what the system reports inside the block is refused as well.

    Args:
        path: the file.
        error: the type to raise.
        missing: the whole sentence for a file that does not exist.
        remedy: ends every other sentence.

    Raises:
        MvlptError: of type ``error``, as :func:`read_bytes`.
    """
    if not is_possible_path(path):
        raise error(f"{path} cannot be read: no file can have this name; {remedy}")
    try:
        with open(path, "rb", opener=_open_regular) as handle:
            yield handle
    except MvlptError:
        raise
    except _NotRegularError:
        raise error(f"{path} is not a regular file; {remedy}") from None
    except FileNotFoundError:
        raise error(missing or f"{path} does not exist; {remedy}") from None
    except OSError as problem:
        raise error(f"{path} cannot be read: {problem.strerror or problem}; {remedy}") from problem


def file_digest(path: str | os.PathLike[str], *, error: type[MvlptError] = DataError, remedy: str = REMEDY) -> str:
    """The SHA-256 of a regular file of any size, in hexadecimal digits.

    Raises:
        MvlptError: of type ``error``, as :func:`open_regular`.
    """
    digest = hashlib.sha256()
    with open_regular(path, error=error, remedy=remedy) as handle:
        while piece := handle.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()


def check_regular(
    path: str | os.PathLike[str],
    *,
    error: type[MvlptError] = DataError,
    missing: str = "",
    remedy: str = REMEDY,
) -> int:
    """The size in bytes of a regular file that a library will open by its name.

    Raises:
        MvlptError: of type ``error``, as :func:`open_regular`.
    """
    with open_regular(path, error=error, missing=missing, remedy=remedy) as handle:
        return os.fstat(handle.fileno()).st_size


def _read_at_most(handle: IO[bytes], count: int) -> bytes:
    """In pieces, for one read would take memory for the whole count at once."""
    pieces = []
    while count > 0 and (piece := handle.read(min(count, PIECE))):
        pieces.append(piece)
        count -= len(piece)
    return b"".join(pieces)


class _NotRegularError(Exception):
    """A folder, a device, a pipe or a socket."""


def _open_regular(path: str, flags: int) -> int:
    number = os.open(path, flags | os.O_NONBLOCK)  # a pipe without a writer would block
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise _NotRegularError
    return number


def decode_text(content: bytes, where: str | Path, *, error: type[MvlptError] = DataError, remedy: str = REMEDY) -> str:
    """UTF-8 with or without a byte-order mark.

    Raises:
        MvlptError: of type ``error``; the sentence names the first byte that is wrong.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise error(f"{where} cannot be read as UTF-8: byte {problem.start} is wrong; {remedy}") from None


def read_text(
    path: str | os.PathLike[str],
    *,
    error: type[MvlptError] = DataError,
    largest: int | None = None,
    missing: str = "",
    remedy: str = REMEDY,
) -> str:
    """:func:`read_bytes`, decoded by :func:`decode_text`."""
    content = read_bytes(path, error=error, largest=largest, missing=missing, remedy=remedy)
    return decode_text(content, str(path), error=error, remedy=remedy)
