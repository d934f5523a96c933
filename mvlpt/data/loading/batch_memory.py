"""Buffers for batches, shared between the worker processes of a loader and reused once a batch is no longer referenced.

A worker writes a batch into memory that the main process can read; only the index of the buffer goes through the pipe
between them. Fresh memory would cost a page fault for every 4 KiB of every batch, and a file descriptor for every
tensor.
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
    """Hands out buffers for float32 batches to this process and to those that it forks.

    A buffer is allocated by the system when it is first written. A process that was not forked gets none.

    Args:
        batch_bytes: size of the largest batch that fits.
        buffers: how many batches there can be at a time.

    Raises:
        OSError: the system does not grant the address range.
    """

    def __init__(self, batch_bytes: int, buffers: int) -> None:
        self._buffers = shared_array((buffers, batch_bytes // 4), np.float32)
        self._in_use = shared_array((buffers,), np.uint8)
        self._lock = SharedLock()
        self._owner = os.getpid()
        self._key = next(_KEYS)
        _MEMORIES[self._key] = self

    def acquire(self, shape: tuple[int, ...]) -> BufferHandle | None:
        """A free buffer for a batch, or ``None`` where all are in use or too small."""
        if math.prod(shape) > self._buffers.shape[1]:
            return None
        with self._lock.held() as held:
            index = int(self._in_use.argmin())
            if not held or self._in_use[index]:
                return None
            self._in_use[index] = 1
        return BufferHandle(self, index, shape)

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process that gets a copy gets ``None``."""
        return type(None), ()


class BufferHandle:
    """A buffer for one batch. Sent to the process that made the memory, it arrives there as the tensor.

    Attributes:
        rows: the buffer as a tensor to write to; it may be used only until the handle is sent or :meth:`tensor` called.
    """

    def __init__(self, memory: BatchMemory, index: int, shape: tuple[int, ...]) -> None:
        self._memory, self._index, self._shape = memory, index, shape

    @property
    def rows(self) -> Tensor:
        return torch.from_numpy(self._array()).view(self._shape)

    def tensor(self) -> Tensor:
        """The batch. The buffer is free again once neither this tensor nor any view of it is referenced."""
        array = self._array()
        weakref.finalize(array, _release, self._memory, self._index).atexit = False
        return torch.from_numpy(array).view(self._shape)

    def _array(self) -> np.ndarray:
        return self._memory._buffers[self._index, : math.prod(self._shape)]

    def __reduce__(self) -> tuple[Any, ...]:
        return _receive, (self._memory._key, self._index, self._shape)


class ByValue:
    """A small tensor, sent to another process as bytes. It arrives as a tensor."""

    def __init__(self, tensor: Tensor) -> None:
        self._tensor = tensor

    def __reduce__(self) -> tuple[Any, ...]:
        return torch.from_numpy, (self._tensor.numpy(),)


def by_value(content: Mapping[str, Any]) -> dict[str, Any]:
    """``content`` with its tensors packed to be sent as bytes."""
    return {key: ByValue(value) if isinstance(value, Tensor) else value for key, value in content.items()}


def _receive(key: int, index: int, shape: tuple[int, ...]) -> Tensor:
    return BufferHandle(_MEMORIES[key], index, shape).tensor()


def _release(memory: BatchMemory, index: int) -> None:
    if os.getpid() == memory._owner:  # a forked child may drop its copy while the batch is in use here
        memory._in_use[index] = 0
