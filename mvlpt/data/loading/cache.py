"""A least-recently-used cache bounded in bytes, and the process's cache of images."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

from PIL import Image

from mvlpt.data.images.archives import file_stamp
from mvlpt.data.images.reading import read_image
from mvlpt.data.loading.pixels import PixelPlan, Pixels

Value = TypeVar("Value")


class ByteLRU(Generic[Value]):
    """Maps keys to values and drops the least recently used ones beyond ``max_bytes``.

    Args:
        max_bytes: limit on the total size of the values; 0 keeps nothing.
        size_of: a value's size in bytes.
    """

    def __init__(self, max_bytes: int, size_of: Callable[[Value], int]) -> None:
        self.max_bytes = max_bytes
        self.num_bytes = 0
        self.hits = 0
        self.misses = 0
        self._size_of = size_of
        self._values: OrderedDict[Hashable, Value] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._values

    def get(self, key: Hashable) -> Value | None:
        """The value, now the most recently used, or ``None``."""
        if key not in self._values:
            self.misses += 1
            return None
        self.hits += 1
        self._values.move_to_end(key)
        return self._values[key]

    def put(self, key: Hashable, value: Value) -> None:
        """Keeps a value, unless it alone is larger than the limit."""
        if key in self._values:
            self.num_bytes -= self._size_of(self._values.pop(key))
        if self._size_of(value) > self.max_bytes:
            return
        self._values[key] = value
        self.num_bytes += self._size_of(value)
        while self.num_bytes > self.max_bytes:
            self.num_bytes -= self._size_of(self._values.popitem(last=False)[1])

    def clear(self) -> None:
        self._values.clear()
        self.num_bytes = 0


def _size_of(value: Image.Image | Pixels) -> int:
    return 3 * value.width * value.height if isinstance(value, Image.Image) else value.nbytes


_CACHES: dict[int, ByteLRU[Any]] = {}


def image_cache(max_bytes: int) -> ByteLRU[Any]:
    """This process's cache of decoded images, with its limit set to ``max_bytes``.

    A forked worker has its own.
    """
    pid = os.getpid()
    if pid not in _CACHES:
        _CACHES.clear()
        _CACHES[pid] = ByteLRU(max_bytes, _size_of)
    _CACHES[pid].max_bytes = max_bytes
    return _CACHES[pid]


def read_image_cached(impath: str, max_bytes: int, transparency: str = "white") -> Image.Image:
    """As :func:`mvlpt.data.images.reading.read_image`, but an unchanged file is decoded once while it stays cached.

    Args:
        impath: a file, or ``archive.zip@entry``.
        max_bytes: limit of this process's cache; 0 reads the file every time.
        transparency: ``white`` or ``drop``.

    Returns:
        A copy that the caller may change.
    """
    if max_bytes <= 0:
        return read_image(impath, transparency)
    cache = image_cache(max_bytes)
    key = (transparency, impath, *file_stamp(impath))
    image = cache.get(key)
    if image is None:
        image = read_image(impath, transparency)
        cache.put(key, image)
    return image.copy()


def pixels_cached(impath: str, plan: PixelPlan, max_bytes: int, transparency: str = "white") -> Pixels:
    """The image after a plan's deterministic steps, computed once while it stays in the cache.

    Args:
        impath: a file, or ``archive.zip@entry``.
        plan: the transform.
        max_bytes: limit of this process's cache; 0 computes it every time.
        transparency: ``white`` or ``drop``.

    Returns:
        Pixels (H, W, 3), not to be changed.
    """
    if max_bytes <= 0:
        return plan.prepare(read_image(impath, transparency))
    cache = image_cache(max_bytes)
    key = (plan.name, transparency, impath, *file_stamp(impath))
    pixels = cache.get(key)
    if pixels is None:
        pixels = plan.prepare(read_image(impath, transparency))
        cache.put(key, pixels)
    return pixels
