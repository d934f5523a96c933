"""Arrays and a lock that a process shares with those it forks."""

from __future__ import annotations

import math
import mmap
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

WAIT = 0.2  # seconds for a lock: a worker that was killed while it held it must not stop the others


def shared_array(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Zeros of this shape. The memory is taken from the system page by page, when it is first written.

    It needs no room in ``/dev/shm``, which containers often keep small.

    Raises:
        OSError: the system does not grant the address range.
    """
    count = math.prod(shape)
    memory = mmap.mmap(-1, max(count * np.dtype(dtype).itemsize, 1))
    return np.frombuffer(memory, dtype, count).reshape(shape)


class SharedLock:
    """A lock for which nobody waits long."""

    def __init__(self) -> None:
        self._lock: Any = multiprocessing.get_context("fork").Lock()

    @contextmanager
    def held(self) -> Iterator[bool]:
        """Whether the lock was had; while it is, nobody else has it."""
        had = self._lock.acquire(timeout=WAIT)
        try:
            yield had
        finally:
            if had:
                self._lock.release()
