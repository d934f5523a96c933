"""Arrays and a lock shared by a process and those it forks."""

from __future__ import annotations

import math
import mmap
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

WAIT = 0.2  # seconds: a worker that was killed while holding the lock must not block the others


def shared_array(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Zeros of this shape. The system allocates the memory page by page, when it is first written.

    It does not use ``/dev/shm``, which is often small in containers.

    Raises:
        OSError: the system does not grant the address range.
    """
    count = math.prod(shape)
    memory = mmap.mmap(-1, max(count * np.dtype(dtype).itemsize, 1))
    return np.frombuffer(memory, dtype, count).reshape(shape)


class SharedLock:
    """A lock with a short timeout."""

    def __init__(self) -> None:
        self._lock: Any = multiprocessing.get_context("fork").Lock()

    @contextmanager
    def held(self) -> Iterator[bool]:
        """Holds the lock; gives whether it was acquired within the timeout."""
        acquired = self._lock.acquire(timeout=WAIT)
        try:
            yield acquired
        finally:
            if acquired:
                self._lock.release()
