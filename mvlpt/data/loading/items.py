"""The step from a data set to its batches: a random stream for every view, labels as tensors, unreadable images.

``Items`` wraps any map-style data set of Dassl's dictionaries. It is indexed by (index, view); the same pair gives
the same tensors in every process, so workers hold no state and their number changes nothing.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset, default_collate

from mvlpt.data.datum import Datum, labels_of
from mvlpt.data.loading.batch_memory import BatchMemory, by_value
from mvlpt.data.loading.pixels import View, stack_views
from mvlpt.errors import DataError
from mvlpt.randomness import derive_seed

ViewIndex = tuple[int, int]  # index in the data source, view

_FOLDERS = re.compile(r"[\\/]")


@contextmanager
def preserve_rng_state() -> Iterator[None]:
    """Restores torch's (CPU), Python's and NumPy's global generators on exit."""
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        torch.set_rng_state(states[0])
        random.setstate(states[1])
        np.random.set_state(states[2])


def seed_generators(seed: int, torch_only: bool = False) -> None:
    """Seeds torch's (CPU), Python's and NumPy's global generators, or only torch's."""
    torch.default_generator.manual_seed(seed)
    if not torch_only:
        random.seed(seed)
        np.random.seed(seed % 2**32)


def view_seed(seed: int, view: int, impath: str) -> int:
    """The seed of one view of an image.

    It depends on the last two parts of the image's path, not on the data folder or the image's index: an image is
    augmented the same way alone and among other tasks.
    """
    tail = "/".join(_FOLDERS.split(impath)[-2:])
    return derive_seed("view", seed, view, tail)


class BadImage(NamedTuple):
    """An image that could not be read, in place of its dictionary."""

    impath: str
    error: DataError


class Batch(NamedTuple):
    """Collated dictionaries, and the images among them that could not be read."""

    content: dict[str, Any] | None
    bad: list[BadImage]


class Items(Dataset):
    """Indexed by (index, view), gives the wrapped data set's dictionary with ``task`` and an encoded label.

    Args:
        wrapper: a map-style data set of dictionaries.
        data_source: the items behind it.
        seed: names the stream of views.
        num_classes: when given, labels become float vectors (K,) with a 1 for each of the image's classes.
        multi_task: ``task`` is the item's domain; else it is 0.
    """

    def __init__(
        self,
        wrapper: Dataset,
        data_source: Sequence[Datum],
        *,
        seed: int = 0,
        num_classes: int | None = None,
        multi_task: bool = False,
    ) -> None:
        self.wrapper = wrapper
        self.data_source = data_source
        self.seed = seed
        self.num_classes = num_classes
        self.multi_task = multi_task

    def __len__(self) -> int:
        return len(self.data_source)

    def __getitem__(self, key: ViewIndex) -> dict[str, Any] | BadImage:
        item = self.__getitems__([key])[0]
        return {**item, "img": item["img"].compute()} if _is_pending(item) else item

    def __getitems__(self, keys: Sequence[ViewIndex]) -> list[dict[str, Any] | BadImage]:
        """The items of a batch. Torch's worker processes also call this."""
        with preserve_rng_state():
            return [self._draw(index, view) for index, view in keys]

    def _draw(self, index: int, view: int) -> dict[str, Any] | BadImage:
        item = self.data_source[index]
        defers = getattr(self.wrapper, "defers", False)
        seed_generators(
            view_seed(self.seed, view, item.impath), torch_only=defers
        )  # a deferred view draws only from torch
        try:
            output = self.wrapper.deferred(index) if defers else dict(self.wrapper[index])
        except DataError as error:
            # a transform does not know the file
            named = error if item.impath in str(error) else DataError(f"The image {item.impath}: {error}")
            return BadImage(item.impath, named)
        output["index"] = index
        output["task"] = item.domain if self.multi_task else 0
        output["label"] = encode_label(item, self.num_classes)
        return output


def encode_label(item: Datum, num_classes: int | None) -> int | torch.Tensor:
    """The class id, or, given the number of classes, a float vector (K,) with a 1 for each of the item's classes."""
    if num_classes is None:
        return item.label
    vector = torch.zeros(num_classes)
    vector[list(labels_of(item))] = 1.0
    return vector


def _is_pending(item: dict[str, Any] | BadImage) -> bool:
    return isinstance(item, dict) and isinstance(item.get("img"), View)


def collate(
    items: Sequence[dict[str, Any] | BadImage],
    pool: Executor | None = None,
    threads: int = 1,
    memory: BatchMemory | None = None,
) -> Batch:
    """Stacks dictionaries into a batch and lists the unreadable images separately.

    Args:
        items: the items of a batch, from :class:`Items`.
        pool, threads, memory: see :func:`mvlpt.data.loading.pixels.stack_views`.
    """
    good = [item for item in items if not isinstance(item, BadImage)]
    bad = [item for item in items if isinstance(item, BadImage)]
    if good and all(map(_is_pending, good)):
        views = [item["img"] for item in good]
        rest = default_collate([{key: value for key, value in item.items() if key != "img"} for item in good])
        if torch.utils.data.get_worker_info() is not None:
            rest = by_value(rest)
        return Batch({**rest, "img": stack_views(views, pool, threads, memory)}, bad)
    return Batch(default_collate(good) if good else None, bad)
