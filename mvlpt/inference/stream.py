"""Batches of prepared images: read by threads ahead of the model, in order, in memory that does not grow."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any, NamedTuple

import torch
from torch import Tensor

from mvlpt.errors import DataError


class Prepared(NamedTuple):
    """Some of the images, in the order in which they came.

    Attributes:
        images: as they were given.
        pixels: (B, 3, H, W) of those that could be read; ``None`` where none could.
        errors: for each image, why it could not be read; ``None`` if it could.
    """

    images: list[Any]
    pixels: Tensor | None
    errors: list[DataError | None]


def prepared_batches(
    images: Iterable[Any], prepare: Callable[[Any], Tensor], batch_size: int, workers: int
) -> Iterator[Prepared]:
    """Prepares images, at most two batches ahead of what is asked for.

    Args:
        images: read one after the other.
        prepare: from an image to (3, H, W); its DataErrors are kept, one for each image.
        batch_size: images in a batch.
        workers: threads that read; 0 reads in this one.
    """
    source = iter(images)
    if workers < 1:
        while batch := list(islice(source, batch_size)):
            yield _stacked(batch, [_attempt(prepare, image) for image in batch])
        return
    pool = ThreadPoolExecutor(workers, thread_name_prefix="mvlpt-images")
    try:
        waiting: deque[tuple[Any, Any]] = deque()
        while True:
            for image in islice(source, 2 * batch_size - len(waiting)):
                waiting.append((image, pool.submit(_attempt, prepare, image)))
            if not waiting:
                return
            batch = [waiting.popleft() for _ in range(min(batch_size, len(waiting)))]
            yield _stacked([image for image, _ in batch], [future.result() for _, future in batch])
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _attempt(prepare: Callable[[Any], Tensor], image: Any) -> Tensor | DataError:
    try:
        return prepare(image)
    except DataError as error:
        return error


def _stacked(images: list[Any], results: list[Tensor | DataError]) -> Prepared:
    good = [result for result in results if isinstance(result, Tensor)]
    errors = [result if isinstance(result, DataError) else None for result in results]
    return Prepared(images, torch.stack(good) if good else None, errors)
