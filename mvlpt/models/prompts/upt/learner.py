"""The trained part of UPT: text and visual prompts, and the small network that transforms both together."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from open_clip.transformer import QuickGELU
from torch import Tensor, nn

from mvlpt.models.prompts.base import PromptLearner, Prompts
from mvlpt.models.prompts.contexts import explain_context_shape
from mvlpt.models.prompts.vpt.learner import explain_visual_shape


class _Block(nn.Module):
    """A transformer block of one head; parameters in the order and under the names of OpenAI's."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(width, 1, batch_first=True)
        self.ln_1 = nn.LayerNorm(width)
        parts = (("c_fc", nn.Linear(width, 4 * width)), ("gelu", QuickGELU()), ("c_proj", nn.Linear(4 * width, width)))
        self.mlp = nn.Sequential(OrderedDict(parts))
        self.ln_2 = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        normed = self.ln_1(x)
        x = x + self.attn(normed, normed, normed, need_weights=False)[0]
        return x + self.mlp(self.ln_2(x))


class _PromptTransformer(nn.Module):
    """One block over all prompts: (1, L, D) -> (1, L, D).

    Args:
        width: D.
        legacy: as in upstream's code, every prompt is a sequence of its own and attention mixes nothing.
    """

    def __init__(self, width: int, legacy: bool) -> None:
        super().__init__()
        self.resblocks = nn.Sequential(_Block(width))
        self.legacy = legacy

    def forward(self, x: Tensor) -> Tensor:
        return self.resblocks(x.transpose(0, 1)).transpose(0, 1) if self.legacy else self.resblocks(x)


class UnifiedPromptLearner(PromptLearner):
    """Holds ``vpt_embeddings``, ``vpt_embeddings_deep``, ``ctx`` and the ``mvlpt_proj`` family.

    Prompts are projected to ``project_dim`` (``…_pre``), joined, passed through ``mvlpt_proj`` and projected back
    (``…_post``); a side whose width already is ``project_dim`` has neither. ``identity`` leaves prompts as they are.

    Args:
        ctx: initial text contexts, (P, Dt) or (K, P, Dt).
        first: initial visual prompts (1, P, Dv).
        deep: initial deep visual prompts (L - 1, P, Dv) or ``None``.
        method: ``transformer``, ``mlp`` or ``identity``.
        project_dim: width of the network.
        dropout: probability of dropping each number of the visual prompts during training.
        legacy: see ``_PromptTransformer``.
    """

    old_names: ClassVar[Mapping[str, str]] = {"upt_proj": "mvlpt_proj"}

    def __init__(
        self,
        ctx: Tensor,
        first: Tensor,
        deep: Tensor | None,
        *,
        method: str = "transformer",
        project_dim: int = 128,
        dropout: float = 0.0,
        legacy: bool = False,
    ) -> None:
        super().__init__()
        self.vpt_embeddings = nn.Parameter(first)
        self.vpt_embeddings_deep = None if deep is None else nn.Parameter(deep)
        self.ctx = nn.Parameter(ctx)
        self.vpt_dropout = nn.Dropout(dropout)
        self.mvlpt_proj: nn.Module = nn.Identity()
        if method == "identity":
            return
        if method == "transformer":
            self.mvlpt_proj = _PromptTransformer(project_dim, legacy)
        else:
            self.mvlpt_proj = nn.GELU()
        text_width, vision_width = ctx.shape[-1], first.shape[-1]
        self.mvlpt_proj_ctx_vpt_pre = _bridge(vision_width, project_dim)
        self.mvlpt_proj_ctx_vpt_post = _bridge(project_dim, vision_width)
        self.mvlpt_proj_ctx_coop_pre = _bridge(text_width, project_dim)
        self.mvlpt_proj_ctx_coop_post = _bridge(project_dim, text_width)
        self.to(ctx.dtype)

    def forward(self) -> Prompts:
        """The prompts of both towers, transformed together."""
        deep, dropout = self.vpt_embeddings_deep, self.vpt_dropout.p if self.training else 0.0
        if isinstance(self.mvlpt_proj, nn.Identity):
            return Prompts(self.ctx, self.vpt_embeddings[0], deep, dropout)
        visual = self.vpt_embeddings if deep is None else torch.cat([self.vpt_embeddings, deep])
        text_in = self.mvlpt_proj_ctx_coop_pre(self.ctx.flatten(0, -2)[None])
        visual_in = self.mvlpt_proj_ctx_vpt_pre(visual.flatten(0, 1)[None])
        joined = self.mvlpt_proj(torch.cat([text_in, visual_in], dim=1))
        text_out, visual_out = joined.split([text_in.shape[1], visual_in.shape[1]], dim=1)
        text = self.mvlpt_proj_ctx_coop_post(text_out)[0].reshape(self.ctx.shape)
        visual = self.mvlpt_proj_ctx_vpt_post(visual_out)[0].reshape(visual.shape)
        return Prompts(text, visual[0], None if deep is None else visual[1:], dropout)

    def explain_mismatch(self, name: str, given: Sequence[int], own: Sequence[int]) -> str:
        """As CoOp's for the text contexts, as VPT's for the visual prompts."""
        return explain_context_shape(given, own) if name == "ctx" else explain_visual_shape(name, given, own)


def _bridge(from_width: int, to_width: int) -> nn.Module:
    return nn.Identity() if from_width == to_width else nn.Linear(from_width, to_width)
