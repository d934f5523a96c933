"""The number of images in each split of a task."""

from __future__ import annotations

from typing import Any, NamedTuple


class SplitSizes(NamedTuple):
    """Number of images in each split; 0 where there is no such split."""

    train: int = 0
    val: int = 0
    test: int = 0

    @classmethod
    def of(cls, dataset: Any) -> SplitSizes:
        """Counts the images of a data set with Dassl's attributes ``train_x``, ``val`` and ``test``."""
        return cls(*(len(getattr(dataset, split) or ()) for split in ("train_x", "val", "test")))
