"""CoCoOp: text contexts shifted by a small network that sees the image's feature.

Zhou et al., Conditional Prompt Learning for Vision-Language Models (arXiv 2203.05557).
"""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn

from mvlpt.models.prompts.base import Prompts


class ConditionalPromptLearner(nn.Module):
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

    def contexts_for(self, features: Tensor) -> Tensor:
        """Contexts (B, P, Dt) for normalised image features."""
        return self.cocoop_ctx + self.meta_net(features.to(self.cocoop_ctx.dtype))[:, None]
