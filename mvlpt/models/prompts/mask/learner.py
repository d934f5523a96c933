"""The trained part of mask tuning: a number for each weight of attention, which says whether the weight is kept.

Shape legend: L blocks, D width of the image tower.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from mvlpt.models.prompts.base import PromptLearner, Prompts
from mvlpt.models.towers.changes import BlockChange, TowerChange


class MaskLearner(PromptLearner):
    """Holds ``in_proj`` (L, 3 D, D) and ``out_proj`` (L, D, D); a weight is kept where its number is above a threshold.

    Args:
        blocks: L.
        width: D.
        start: all numbers before training, above the threshold: every weight is kept.
        threshold: see above.
        dtype: of the numbers.
    """

    def __init__(self, blocks: int, width: int, *, start: float, threshold: float, dtype: torch.dtype) -> None:
        super().__init__()
        self.in_proj = nn.Parameter(torch.full((blocks, 3 * width, width), start, dtype=dtype))
        self.out_proj = nn.Parameter(torch.full((blocks, width, width), start, dtype=dtype))
        self._threshold = threshold
        self._rows: list[Tensor] | None = None

    def forward(self) -> Prompts:
        """The masks of all blocks."""
        rows = self._rows or [*self.in_proj, *self.out_proj]
        kept = _Kept.apply if torch.is_grad_enabled() else _kept  # exports know no functions of autograd
        masks = [kept(numbers, self._threshold) for numbers in rows]
        pairs = zip(masks[: len(self.in_proj)], masks[len(self.in_proj) :], strict=True)
        return Prompts(image_change=TowerChange([BlockChange(in_proj=a, out_proj=b) for a, b in pairs]))

    @contextmanager
    def separate_blocks(self) -> Iterator[list[Tensor]]:
        """Inside, gradients can be taken of each block's numbers: views of ``in_proj``, then of ``out_proj``.

        Those of the whole parameters need the memory of all blocks once more, to be joined.
        """
        self._rows = [*self.in_proj, *self.out_proj]
        try:
            yield self._rows
        finally:
            self._rows = None

    def penalty(self) -> Tensor:
        """The sum of the Euclidean norms of each block's two matrices of numbers."""
        return sum(part.flatten(1).norm(dim=1).sum() for part in (self.in_proj, self.out_proj))

    def explain_mismatch(self, name: str, given: Sequence[int], own: Sequence[int]) -> str:
        """Another backbone."""
        return " (it was trained for a backbone of other blocks)"


def _kept(numbers: Tensor, threshold: float) -> Tensor:
    return (numbers > threshold).to(numbers.dtype)


class _Kept(torch.autograd.Function):
    """1 or 0 for each number; the gradient passes as if there were no threshold (straight-through)."""

    @staticmethod
    def forward(ctx: Any, numbers: Tensor, threshold: float) -> Tensor:
        return _kept(numbers, threshold)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient, None
