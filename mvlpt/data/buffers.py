"""Memory for batches, used again once nobody holds the batch: fresh memory costs a page fault for every 4 KiB."""

from __future__ import annotations

import math

import torch
from torch import Tensor, UntypedStorage

HELD = 3  # the batch in use, the one being made, and one more
_use_count = getattr(torch._C, "_storage_Use_Count", None)  # without it nothing is used again


class BatchBuffers:
    """Hands out float32 batches; the memory of one that is referred to, itself or by a view, is never used again."""

    def __init__(self) -> None:
        self._held: list[UntypedStorage] = []

    def __getstate__(self) -> dict[str, list[UntypedStorage]]:
        """Another process begins with none."""
        return {"_held": []}

    def take(self, shape: tuple[int, ...]) -> Tensor:
        """An uninitialised batch."""
        size = 4 * math.prod(shape)
        for storage in self._held if _use_count is not None else ():
            if storage.nbytes() >= size and _use_count(storage._cdata) == 1:
                return torch.empty(0).set_(storage, 0, shape)
        batch = torch.empty(shape)
        self._held = [*self._held[1 - HELD :], batch.untyped_storage()]
        return batch
