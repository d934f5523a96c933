"""Decoded images in memory that a process shares with the workers it forks.

A worker gets different images in every epoch; an image that one worker has decoded is found by all. Images are kept
in order of arrival until the memory is full, and none is evicted: with random epochs that gives the highest hit rate.
"""

from __future__ import annotations

import numpy as np

from mvlpt.data.loading.pixels import Pixels
from mvlpt.data.loading.shared_memory import SharedLock, shared_array

_OFFSET, _HEIGHT, _WIDTH, _STAMP = range(4)


class SharedPixels:
    """Keeps images (H, W, 3) by index.

    The system allocates the memory when it is first written, and frees it with this object.

    Args:
        max_bytes: limit on the kept pixels, in bytes.
        num_images: number of images; indices are below it.

    Raises:
        OSError: the system does not grant the address range.
    """

    def __init__(self, max_bytes: int, num_images: int) -> None:
        self._memory = shared_array((max_bytes,), np.uint8)
        table = shared_array((num_images + 1, 4), np.int64)
        self._rows, self._used = table[:-1], table[-1]
        self._used[:2] = 1, 0  # the first free byte plus one, as offsets are stored; hits
        self._lock = SharedLock()

    @property
    def num_bytes(self) -> int:
        """Bytes of the kept pixels."""
        return int(self._used[0]) - 1

    @property
    def hits(self) -> int:
        """Number of cache hits of all processes."""
        return int(self._used[1])

    def get(self, index: int, stamp: tuple[int, int]) -> Pixels | None:
        """The image, not to be changed; ``None`` where it is not kept or its file has changed since."""
        with self._lock.held() as held:
            offset, height, width, known = self._rows[index].tolist()
            found = held and offset > 0 and known == hash(stamp)
            self._used[1] += found
        return self._memory[offset - 1 : offset - 1 + height * width * 3].reshape(height, width, 3) if found else None

    def put(self, index: int, stamp: tuple[int, int], pixels: Pixels) -> None:
        """Keeps an image if it fits."""
        with self._lock.held() as held:
            start = int(self._used[0]) - 1
            row = self._rows[index]
            room = start + pixels.size <= len(self._memory)
            if not held or not room or (row[_OFFSET] and row[_STAMP] == hash(stamp)):
                return
            self._used[0] += pixels.size
            self._memory[start : start + pixels.size] = pixels.reshape(-1)
            row[:] = start + 1, *pixels.shape[:2], hash(stamp)
