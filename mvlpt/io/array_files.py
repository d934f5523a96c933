"""NumPy's ``.npy`` arrays, whose header is checked before memory is taken; nothing is unpickled."""

from __future__ import annotations

import os
from typing import IO, Any

import numpy as np

from mvlpt.errors import DataError, MvlptError
from mvlpt.io.display import first_line
from mvlpt.io.limits import limit
from mvlpt.io.reading import open_regular

_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def read_array_header(handle: IO[bytes], kind: str, held: int) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type of the array that begins here.

    Args:
        handle: at the array's start.
        kind: NumPy's letter for the kind of number: ``f``, ``i`` or ``u``.
        held: bytes that the file has for the array and its header.

    Raises:
        ValueError: the header is damaged, names another kind, or a size that the file does not hold.
    """
    try:
        shape, _, dtype = _HEADERS[np.lib.format.read_magic(handle)](handle)
    except KeyError:
        raise ValueError("its version is not known") from None
    except ValueError as problem:
        raise ValueError(first_line(problem)) from None
    except Exception:  # of NumPy's parser, which is Python's own: any
        raise ValueError("its header is damaged") from None
    whole = all(type(size) is int and size >= 0 for size in shape)
    size = int(np.prod(shape, dtype=object)) * dtype.itemsize if whole else -1
    most = min(held, limit("MVLPT_MAX_FEATURES_MB") * 2**20)
    if dtype.kind != kind or dtype.itemsize == 0 or not 0 <= size <= most:
        raise ValueError(f"an array of type {dtype!s:.40} and shape {shape!s:.60} is not what its size allows")
    return shape, dtype


def map_array(
    path: str | os.PathLike[str], kind: str, *, error: type[MvlptError] = DataError, remedy: str = "write it again"
) -> Any:
    """A file's array, memory-mapped for reading.

    Args:
        path: the file.
        kind: see :func:`read_array_header`.
        error: the type to raise.
        remedy: ends the sentence.

    Raises:
        MvlptError: of type ``error``; the file is missing, not a regular file, or not such an array.
    """
    with open_regular(path, error=error, remedy=remedy) as handle:
        try:
            shape, _ = read_array_header(handle, kind, os.fstat(handle.fileno()).st_size)
            if 0 in shape:
                handle.seek(0)
                return np.lib.format.read_array(handle, allow_pickle=False)
            return np.load(path, mmap_mode="r", allow_pickle=False)
        except Exception as problem:  # as there
            raise error(f"{path} holds no array that can be read: {first_line(problem)}; {remedy}") from problem
