"""Files of safetensors: header and tensors, checked before memory is taken."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mvlpt.errors import CheckpointError, MvlptError
from mvlpt.io.display import first_line
from mvlpt.io.reading import open_regular

if TYPE_CHECKING:
    from torch import Tensor

LARGEST_HEADER = 2**25  # bytes; the header of a large model has some hundred thousand


class SafeTensors:
    """An open file.

    Attributes:
        metadata: strings by key.
        names: of its tensors.
    """

    def __init__(self, opened: Any) -> None:
        self._opened = opened
        self.metadata: Mapping[str, str] = opened.metadata() or {}
        self.names: list[str] = list(opened.keys())

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor, before it is read."""
        return tuple(self._opened.get_slice(name).get_shape())

    def tensor(self, name: str) -> Tensor:
        """A tensor."""
        return self._opened.get_tensor(name)

    def tensors(self) -> dict[str, Tensor]:
        """All of them, by name."""
        return {name: self.tensor(name) for name in self.names}


@contextmanager
def open_tensors(
    path: str | os.PathLike[str], *, error: type[MvlptError] = CheckpointError, missing: str = ""
) -> Iterator[SafeTensors]:
    """A safetensors file; exceptions of its library inside the block are refused as well.

    Args:
        path: the file.
        error: the type to raise.
        missing: the whole sentence for a file that does not exist.

    Raises:
        MvlptError: of type ``error``; the file is missing, not a regular file, damaged, or has an absurd header.
    """
    from safetensors import SafetensorError, safe_open

    with open_regular(path, error=error, missing=missing, remedy="give a safetensors file") as handle:
        size = int.from_bytes(handle.read(8), "little")
        if size > min(LARGEST_HEADER, os.fstat(handle.fileno()).st_size):
            raise error(f"{path} is not a safetensors file that can be read: its header would have {size:,} bytes")
        try:
            with safe_open(os.fspath(path), framework="pt", device="cpu") as opened:
                yield SafeTensors(opened)
        except (MvlptError, MemoryError):
            raise
        except (SafetensorError, OSError, UnicodeError, OverflowError) as problem:
            reason = first_line(problem, 160)
            raise error(f"{path} is not a safetensors file that can be read ({reason})") from problem
