"""Memory for batches, shared by the processes of a loader and used again once nobody holds the batch.

A worker works a batch out where the run's process will read it; only the place goes through the pipe between them.
Fresh memory would cost a page fault for every 4 KiB of every batch, and a file descriptor sent for every tensor.
"""

from __future__ import annotations

import itertools
import math
import os
import weakref
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mvlpt.data.loading.shared_memory import SharedLock, shared_array

_KEYS = itertools.count()
_MEMORIES: weakref.WeakValueDictionary[int, BatchMemory] = weakref.WeakValueDictionary()


class BatchMemory:
    """Lends places for float32 batches to this process and to those that it forks.

    A place is taken from the system when it is first written. A process that was not forked is lent nothing.

    Args:
        batch_bytes: of the largest batch that fits.
        places: how many batches there can be at a time.

    Raises:
        OSError: the system does not grant the address range.
    """

    def __init__(self, batch_bytes: int, places: int) -> None:
        self._places = shared_array((places, batch_bytes // 4), np.float32)
        self._lent = shared_array((places,), np.uint8)
        self._lock = SharedLock()
        self._owner = os.getpid()
        self._key = next(_KEYS)
        _MEMORIES[self._key] = self

    def lend(self, shape: tuple[int, ...]) -> Loan | None:
        """A free place for a batch, or ``None`` where all are in use or too small."""
        if math.prod(shape) > self._places.shape[1]:
            return None
        with self._lock.held() as held:
            place = int(self._lent.argmin())
            if not held or self._lent[place]:
                return None
            self._lent[place] = 1
        return Loan(self, place, shape)

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process that gets a copy gets ``None``."""
        return type(None), ()


class Loan:
    """A place for one batch. Sent to the process that made the memory, it arrives there as the tensor.

    Attributes:
        rows: the place as a tensor, to write to; it may be used only until the loan is sent or called in.
    """

    def __init__(self, memory: BatchMemory, place: int, shape: tuple[int, ...]) -> None:
        self._memory, self._place, self._shape = memory, place, shape

    @property
    def rows(self) -> Tensor:
        return torch.from_numpy(self._array()).view(self._shape)

    def tensor(self) -> Tensor:
        """The batch. The place is free again once neither this tensor nor any view of it is referred to."""
        array = self._array()
        weakref.finalize(array, _give_back, self._memory, self._place).atexit = False
        return torch.from_numpy(array).view(self._shape)

    def _array(self) -> np.ndarray:
        return self._memory._places[self._place, : math.prod(self._shape)]

    def __reduce__(self) -> tuple[Any, ...]:
        return _arrived, (self._memory._key, self._place, self._shape)


class ByValue:
    """A small tensor, sent to another process as bytes. It arrives as a tensor."""

    def __init__(self, tensor: Tensor) -> None:
        self._tensor = tensor

    def __reduce__(self) -> tuple[Any, ...]:
        return torch.from_numpy, (self._tensor.numpy(),)


def by_value(content: Mapping[str, Any]) -> dict[str, Any]:
    """``content`` with its tensors packed to be sent as bytes."""
    return {key: ByValue(value) if isinstance(value, Tensor) else value for key, value in content.items()}


def _arrived(key: int, place: int, shape: tuple[int, ...]) -> Tensor:
    return Loan(_MEMORIES[key], place, shape).tensor()


def _give_back(memory: BatchMemory, place: int) -> None:
    if os.getpid() == memory._owner:  # a forked child may drop its copy while the batch is in use here
        memory._lent[place] = 0
