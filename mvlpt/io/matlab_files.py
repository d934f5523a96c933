"""MATLAB's files of version 5, unpacked within bounds."""

from __future__ import annotations

import io
import os
import struct
import zlib
from typing import Any

from mvlpt.errors import DataError, MvlptError
from mvlpt.io.display import first_line
from mvlpt.io.reading import REMEDY, read_bytes

LARGEST = 2**24  # bytes of a file, and of each of its variables unpacked; those of the benchmarks have a tenth
_HEAD, _PACKED = 128, 15


def read_matlab(
    path: str | os.PathLike[str], *, error: type[MvlptError] = DataError, missing: str = "", remedy: str = REMEDY
) -> dict[str, Any]:
    """The variables of a file, by name; single elements without their array.

    Raises:
        MvlptError: of type ``error``; the file is missing, not a regular file, too large, or not of MATLAB's version 5.
    """
    from scipy.io import loadmat

    content = read_bytes(path, error=error, largest=LARGEST, missing=missing, remedy=remedy)
    try:
        _check_unpacked(content)
        return loadmat(io.BytesIO(content), squeeze_me=True)
    except MemoryError:
        raise
    except Exception as problem:  # of a damaged file: any
        raise error(f"The file {path} cannot be read as MATLAB data: {first_line(problem)}; {remedy}") from problem


def _check_unpacked(content: bytes) -> None:
    """Unpacks each variable, and forgets it."""
    order, at = (">" if content[126:128] == b"MI" else "<"), _HEAD
    while at + 8 <= len(content):
        kind, size = struct.unpack_from(f"{order}II", content, at)
        if kind == _PACKED:
            unpacker = zlib.decompressobj()
            unpacker.decompress(content[at + 8 : at + 8 + size], LARGEST)
            if unpacker.unconsumed_tail:
                raise ValueError(f"a variable unpacks to more than {LARGEST:,} bytes")
        at += 8 + size
