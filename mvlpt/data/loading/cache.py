"""A cache bounded in bytes, least recently used out first; the process keeps one for images."""

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
    """Maps keys to values and forgets the least recently used ones beyond ``max_bytes``.

    Args:
        max_bytes: bound on the sum of the values' sizes; 0 keeps nothing.
        size_of: a value's size in bytes.
    """

    def __init__(self, max_bytes: int, size_of: Callable[[Value], int]) -> None:
        self.max_bytes = max_bytes
        self.num_bytes = 0
        self.hits = 0
        self.misses = 0
        self._size_of = size_of
        self._held: OrderedDict[Hashable, Value] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._held

    def get(self, key: Hashable) -> Value | None:
        """The value, now the most recently used, or ``None``."""
        if key not in self._held:
            self.misses += 1
            return None
        self.hits += 1
        self._held.move_to_end(key)
        return self._held[key]

    def put(self, key: Hashable, value: Value) -> None:
        """Keeps a value, unless it alone is larger than the bound."""
        if key in self._held:
            self.num_bytes -= self._size_of(self._held.pop(key))
        if self._size_of(value) > self.max_bytes:
            return
        self._held[key] = value
        self.num_bytes += self._size_of(value)
        while self.num_bytes > self.max_bytes:
            self.num_bytes -= self._size_of(self._held.popitem(last=False)[1])

    def clear(self) -> None:
        self._held.clear()
        self.num_bytes = 0


def _size_of(value: Image.Image | Pixels) -> int:
    return 3 * value.width * value.height if isinstance(value, Image.Image) else value.nbytes


_CACHES: dict[int, ByteLRU[Any]] = {}


def image_cache(max_bytes: int) -> ByteLRU[Any]:
    """This process's cache of decoded images, with its bound set to ``max_bytes``.

    A forked worker has one of its own.
    """
    pid = os.getpid()
    if pid not in _CACHES:
        _CACHES.clear()
        _CACHES[pid] = ByteLRU(max_bytes, _size_of)
    _CACHES[pid].max_bytes = max_bytes
    return _CACHES[pid]


def read_image_cached(impath: str, max_bytes: int) -> Image.Image:
    """As :func:`mvlpt.data.images.reading.read_image`, decoding a file that has not changed only once while it fits.

    Args:
        impath: a file, or ``archive.zip@entry``.
        max_bytes: bound on what this process keeps; 0 reads anew every time.

    Returns:
        An RGB image of the caller's own.
    """
    if max_bytes <= 0:
        return read_image(impath)
    cache = image_cache(max_bytes)
    key = (impath, *file_stamp(impath))
    image = cache.get(key)
    if image is None:
        image = read_image(impath)
        cache.put(key, image)
    return image.copy()


def pixels_cached(impath: str, plan: PixelPlan, max_bytes: int) -> Pixels:
    """What a plan does to an image once, computed once while it fits.

    Args:
        impath: a file, or ``archive.zip@entry``.
        plan: the transform.
        max_bytes: bound on what this process keeps; 0 computes anew every time.

    Returns:
        Pixels (H, W, 3), not to be changed.
    """
    if max_bytes <= 0:
        return plan.once(read_image(impath))
    cache = image_cache(max_bytes)
    key = (plan.name, impath, *file_stamp(impath))
    pixels = cache.get(key)
    if pixels is None:
        pixels = plan.once(read_image(impath))
        cache.put(key, pixels)
    return pixels
