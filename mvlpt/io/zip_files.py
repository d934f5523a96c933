"""Zip archives read within bounds: regular files, entries that are stored or deflated, unpacked in pieces."""

from __future__ import annotations

import os
import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from mvlpt.errors import DataError, MvlptError
from mvlpt.io.display import first_line
from mvlpt.io.limits import limit
from mvlpt.io.reading import check_regular

PIECE = 2**20  # bytes that are unpacked at once
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # Python unpacks others in pieces that are not bounded
_DIRECTORY = 46  # bytes of an entry in the directory of an archive, at least
_END = 22 + 2**16  # bytes in which the end of an archive is searched


def open_zip(path: str | os.PathLike[str], *, error: type[MvlptError] = DataError) -> zipfile.ZipFile:
    """An archive, whose directory has been read; the caller closes it.

    Raises:
        MvlptError: of type ``error``; it is missing, not a regular file, damaged, or lists more entries than
            ``MVLPT_MAX_ENTRIES``.
    """
    what = f"The archive {path}"
    size = check_regular(path, error=error, missing=f"{what} does not exist", remedy="give a zip file")
    most = limit("MVLPT_MAX_ENTRIES")
    try:
        if size > most * _DIRECTORY and _count_entries(path) > most:
            raise error(f"{what} lists more than {most:,} entries (MVLPT_MAX_ENTRIES raises the limit)")
        return zipfile.ZipFile(path)
    except MvlptError:
        raise
    except MemoryError:
        raise
    except Exception as problem:  # of a damaged directory: any
        raise error(f"{what} cannot be opened, it may be truncated: {first_line(problem)}") from problem


def _count_entries(path: str | os.PathLike[str]) -> int:
    """How many entries the directory at the end of an archive lists; no fewer, and perhaps a few more."""
    with open(path, "rb") as handle:
        total = handle.seek(0, os.SEEK_END)
        tail = handle.seek(max(0, total - _END))
        end = handle.read()
        found, large = end.rfind(b"PK\5\6"), end.rfind(b"PK\6\6")
        size = int.from_bytes(end[found + 12 : found + 16], "little")
        if size == 2**32 - 1 and large >= 0:
            size = int.from_bytes(end[large + 40 : large + 48], "little")
        left = min(size + 128, tail + max(found, 0))
        handle.seek(tail + max(found, 0) - left)
        count, before = 0, b""
        while left > 0 and (piece := handle.read(min(left, PIECE))):
            left -= len(piece)
            count += (before + piece).count(b"PK\1\2")
            before = piece[-3:]
        return count


def is_regular_entry(info: zipfile.ZipInfo) -> bool:
    """Whether an entry is a file, not a folder, a link or a device."""
    kind = stat.S_IFMT(info.external_attr >> 16)
    return not info.is_dir() and kind in (0, stat.S_IFREG)


def check_entry(info: zipfile.ZipInfo, largest: int | None = None) -> None:
    """Checks an entry before it is unpacked.

    Args:
        info: the entry.
        largest: bytes that it may have; by default ``MVLPT_MAX_ENTRY_MB``.

    Raises:
        ValueError: it is a link, encrypted, packed by a method other than deflate, or too large.
    """
    if not is_regular_entry(info):
        raise ValueError("it is a link or a folder, not a file")
    if info.flag_bits & 1:
        raise ValueError("it is encrypted; unpack the archive and pack it without a password")
    if info.compress_type not in _METHODS:
        method = zipfile.compressor_names.get(info.compress_type, str(info.compress_type))
        raise ValueError(f"it is packed by the method '{method}'; pack the archive with deflate, or without packing")
    variable = " (MVLPT_MAX_ENTRY_MB raises the limit)" if largest is None else ""
    largest = limit("MVLPT_MAX_ENTRY_MB") * 2**20 if largest is None else largest
    if info.file_size > largest:
        raise ValueError(f"it unpacks to {info.file_size:,} bytes; at most {largest:,} are read{variable}")


@contextmanager
def open_entry(
    archive: zipfile.ZipFile,
    name: str,
    *,
    error: type[MvlptError] = DataError,
    largest: int | None = None,
) -> Iterator[IO[bytes]]:
    """An entry opened for reading its unpacked bytes, never more than its header states.

    Args:
        archive: of :func:`open_zip`.
        name: the entry.
        error: the type to raise.
        largest: see :func:`check_entry`.

    Raises:
        MvlptError: of type ``error``; there is no such entry, it cannot be read (:func:`check_entry`), or it is
            damaged. Other exceptions from the block are taken for damage as well.
    """
    try:
        with archive.open(_found(archive, name, error, largest)) as handle:
            yield handle
    except (MvlptError, MemoryError):
        raise
    except Exception as problem:  # zipfile and zlib: bad checksum, cut short, unknown version
        raise error(f"The entry '{name}' of {archive.filename} cannot be read: {first_line(problem)}") from problem


def _found(archive: zipfile.ZipFile, name: str, error: type[MvlptError], largest: int | None) -> zipfile.ZipInfo:
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise error(f"The archive {archive.filename} has no entry '{name}'") from None
    try:
        check_entry(info, largest)
    except ValueError as problem:
        raise error(f"The entry '{name}' of {archive.filename} cannot be read: {problem}") from None
    return info


def read_zip_entry(
    archive: zipfile.ZipFile, name: str, *, error: type[MvlptError] = DataError, largest: int | None = None
) -> bytes:
    """The bytes of an entry; see :func:`open_entry`."""
    with open_entry(archive, name, error=error, largest=largest) as handle:
        return b"".join(iter(lambda: handle.read(PIECE), b""))
