"""The trained part of CoCoOp: contexts, and a small network that shifts them for every image."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from torch import Tensor, nn

from mvlpt.models.prompts.base import PromptLearner, Prompts
from mvlpt.models.prompts.contexts import explain_context_shape


class ConditionalPromptLearner(PromptLearner):
    """Holds ``cocoop_ctx`` (P, Dt) and ``meta_net``: embed_dim -> embed_dim / 16 -> Dt.

    Args:
        ctx: initial contexts (P, Dt).
        embed_dim: width of an image feature.
    """

    def __init__(self, ctx: Tensor, embed_dim: int) -> None:
        super().__init__()
        hidden = max(1, embed_dim // 16)
        self.cocoop_ctx = nn.Parameter(ctx)
        parts = (
            ("linear1", nn.Linear(embed_dim, hidden, dtype=ctx.dtype)),
            ("relu", nn.ReLU()),
            ("linear2", nn.Linear(hidden, ctx.shape[-1], dtype=ctx.dtype)),
        )
        self.meta_net = nn.Sequential(OrderedDict(parts))

    def forward(self) -> Prompts:
        """The contexts before any image shifts them."""
        return Prompts(text=self.cocoop_ctx)

    def contexts_for(self, image_features: Tensor) -> Tensor:
        """Contexts (B, P, Dt) for normalised image features (B, E)."""
        return self.cocoop_ctx + self.meta_net(image_features.to(self.cocoop_ctx.dtype))[:, None]

    def explain_mismatch(self, name: str, given: Sequence[int], own: Sequence[int]) -> str:
        """Another width or another number of contexts."""
        return explain_context_shape(given, own) if name == "cocoop_ctx" else ""
