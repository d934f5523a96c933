"""The trained part of mask tuning: a number for each weight of attention, which says whether the weight is kept.

Shape legend: L blocks, D width of the image tower.
"""

from __future__ import annotations

from collections.abc import Sequence

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

    def forward(self) -> Prompts:
        """The masks of all blocks."""
        pairs = zip(self._kept(self.in_proj), self._kept(self.out_proj), strict=True)
        return Prompts(image_change=TowerChange([BlockChange(in_proj=a, out_proj=b) for a, b in pairs]))

    def penalty(self) -> Tensor:
        """The sum of the Euclidean norms of each block's two matrices of numbers."""
        return sum(part.flatten(1).norm(dim=1).sum() for part in (self.in_proj, self.out_proj))

    def _kept(self, numbers: Tensor) -> Tensor:
        """1 or 0 for each number; the gradient passes as if there were no threshold (straight-through)."""
        return (numbers > self._threshold).to(numbers.dtype) + (numbers - numbers.detach())

    def explain_mismatch(self, name: str, given: Sequence[int], own: Sequence[int]) -> str:
        """Another backbone."""
        return " (it was trained for a backbone of other blocks)"
