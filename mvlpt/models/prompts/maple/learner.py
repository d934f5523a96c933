"""The trained part of MaPLe: text contexts of the first blocks, and the maps that make visual prompts of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mvlpt.models.prompts.base import PromptLearner, Prompts
from mvlpt.models.prompts.contexts import explain_context_shape


class CoupledPromptLearner(PromptLearner):
    """Holds ``ctx`` (P, Dt), ``proj``: Dt -> Dv, and for J further blocks ``compound_prompts_text`` and
    ``compound_prompt_projections``; names as in MaPLe's own checkpoints.

    Args:
        ctx: contexts of the first text block (P, Dt).
        deep: contexts of further blocks (J, P, Dt).
        vision_width: Dv.
        first_norm: what the image tower applies to its tokens before the first block.
    """

    def __init__(self, ctx: Tensor, deep: Tensor, vision_width: int, first_norm: nn.Module) -> None:
        super().__init__()
        self.ctx = nn.Parameter(ctx)
        self.proj = nn.Linear(ctx.shape[-1], vision_width, dtype=ctx.dtype)
        self.compound_prompts_text = nn.ParameterList([nn.Parameter(part.clone()) for part in deep])
        maps = [nn.Linear(ctx.shape[-1], vision_width, dtype=ctx.dtype) for _ in deep]
        for other in maps[1:]:  # MaPLe copies one layer: all begin alike
            other.load_state_dict(maps[0].state_dict())
        self.compound_prompt_projections = nn.ModuleList(maps)
        self._first_norm = (first_norm,)  # in a tuple: it belongs to the backbone and is not in checkpoints

    def forward(self) -> Prompts:
        """Contexts of both towers; visual prompts enter before the image tower's first normalisation."""
        first = self._first_norm[0](self.proj(self.ctx))
        if not len(self.compound_prompts_text):
            return Prompts(text=self.ctx, first=first)
        pairs = zip(self.compound_prompt_projections, self.compound_prompts_text, strict=True)
        deep = torch.stack([project(context) for project, context in pairs])
        return Prompts(text=self.ctx, first=first, deep=deep, text_deep=torch.stack(list(self.compound_prompts_text)))

    def explain_mismatch(self, name: str, given: Sequence[int], own: Sequence[int]) -> str:
        """Another width or another number of contexts."""
        return explain_context_shape(given, own) if name == "ctx" or "prompts_text" in name else ""
