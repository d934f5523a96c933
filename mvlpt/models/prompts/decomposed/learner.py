"""The trained part of DePT: contexts, and two thin matrices whose product is added to the tokens after them.

Shape legend: P contexts, S positions after the contexts, R rank, Dt width of a text token.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mvlpt.models.prompts.base import PromptLearner, Prompts
from mvlpt.models.prompts.contexts import explain_context_shape


class DecomposedPromptLearner(PromptLearner):
    """Holds ``ctx`` (P, Dt), ``offset_down`` (S, R) and ``offset_up`` (R, Dt).

    ``offset_up`` starts at zero, so that training starts at the contexts alone.

    Args:
        ctx: contexts.
        positions: S.
        rank: R.
        scale: of the product.
    """

    def __init__(self, ctx: Tensor, positions: int, rank: int, scale: float) -> None:
        super().__init__()
        self.ctx = nn.Parameter(ctx)
        down = torch.empty(positions, rank, dtype=ctx.dtype).uniform_(-1 / math.sqrt(rank), 1 / math.sqrt(rank))
        self.offset_down = nn.Parameter(down)
        self.offset_up = nn.Parameter(torch.zeros(rank, ctx.shape[-1], dtype=ctx.dtype))
        self._scale = scale

    def forward(self) -> Prompts:
        """The contexts, and the offsets of every position; the start token and the contexts have none."""
        offsets = self._scale * self.offset_down @ self.offset_up
        before = offsets.new_zeros(1 + len(self.ctx), offsets.shape[-1])
        return Prompts(text=self.ctx, text_offsets=torch.cat([before, offsets]))

    def explain_mismatch(self, name: str, given: Sequence[int], own: Sequence[int]) -> str:
        """Another width, rank or number of contexts."""
        if name == "ctx":
            return explain_context_shape(given, own)
        axis = 1 if name == "offset_down" else 0
        if given[axis] != own[axis]:
            return f" (its offsets have rank {given[axis]}, the configuration asks for {own[axis]})"
        return ""
