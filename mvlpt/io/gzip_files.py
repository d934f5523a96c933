"""Files packed by gzip, unpacked within bounds."""

from __future__ import annotations

import gzip
import os
import zlib

from mvlpt.errors import DataError, MvlptError
from mvlpt.io.display import first_line
from mvlpt.io.reading import REMEDY, open_regular

PIECE = 2**20  # bytes


def read_gzip(
    path: str | os.PathLike[str], *, largest: int, error: type[MvlptError] = DataError, remedy: str = REMEDY
) -> bytes:
    """The unpacked content of a file.

    Args:
        path: the file.
        largest: a file that unpacks to more bytes is refused.
        error: the type to raise.
        remedy: ends the sentence.

    Raises:
        MvlptError: of type ``error``; the file is missing, not a regular file, damaged, or unpacks to too much.
    """
    pieces, count = [], 0
    with open_regular(path, error=error, remedy=remedy) as packed:
        try:
            with gzip.GzipFile(fileobj=packed) as handle:
                while piece := handle.read(PIECE):
                    pieces.append(piece)
                    count += len(piece)
                    if count > largest:
                        raise error(f"{path} unpacks to more than {largest:,} bytes; {remedy}")
        except (OSError, EOFError, zlib.error) as problem:
            if isinstance(problem, MvlptError):
                raise
            raise error(f"{path} is not a readable gzip file: {first_line(problem)}; {remedy}") from None
    return b"".join(pieces)
