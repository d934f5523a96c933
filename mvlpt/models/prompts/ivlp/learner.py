"""The trained part of IVLP: text contexts and visual prompts of the first blocks of each tower."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from mvlpt.models.prompts.base import PromptLearner, Prompts
from mvlpt.models.prompts.contexts import explain_context_shape, explain_prompt_shape


class IndependentPromptLearner(PromptLearner):
    """Holds ``ctx`` (P, Dt), ``ctx_deep`` (J, P, Dt), ``visual`` (Q, Dv) and ``visual_deep`` (I, Q, Dv).

    Args:
        ctx: contexts of the first text block.
        ctx_deep: those of further blocks, perhaps of none.
        visual: prompts of the first image block.
        visual_deep: those of further blocks, perhaps of none.
        first_norm: what the image tower applies to its tokens before the first block.
    """

    def __init__(
        self, ctx: Tensor, ctx_deep: Tensor, visual: Tensor, visual_deep: Tensor, first_norm: nn.Module
    ) -> None:
        super().__init__()
        self.ctx, self.visual = nn.Parameter(ctx), nn.Parameter(visual)
        self.ctx_deep = nn.Parameter(ctx_deep) if len(ctx_deep) else None
        self.visual_deep = nn.Parameter(visual_deep) if len(visual_deep) else None
        self._first_norm = (first_norm,)  # in a tuple: it belongs to the backbone and is not in checkpoints

    def forward(self) -> Prompts:
        """All contexts; visual prompts enter before the image tower's first normalisation."""
        first = self._first_norm[0](self.visual)
        return Prompts(text=self.ctx, first=first, deep=self.visual_deep, text_deep=self.ctx_deep)

    def explain_mismatch(self, name: str, given: Sequence[int], own: Sequence[int]) -> str:
        """Another width, depth or number of contexts."""
        return explain_context_shape(given, own) if name == "ctx" else explain_prompt_shape(given, own)
