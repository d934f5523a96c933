"""The trained part of VPT: prompts among the tokens of an image, in the first block or in all blocks.

Shape legend: P prompts, L blocks, d width of the trained prompts, Dv width of an image token.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mvlpt.models.backbone.backbone import Backbone
from mvlpt.models.prompts.base import PromptLearner, Prompts
from mvlpt.models.prompts.contexts import explain_prompt_shape, parameter_dtype


class VisualPromptLearner(PromptLearner):
    """Holds ``vpt_embeddings`` (1, P, d), ``vpt_embeddings_deep`` (L - 1, P, d) and ``vpt_proj``: d -> Dv.

    Without projection d is the vision width Dv and ``vpt_proj`` has no parameters.

    Args:
        first: initial prompts of the first block.
        deep: initial prompts of the other blocks, ``None`` for shallow prompts.
        projection: maps prompts to the vision width.
        dropout: probability of dropping each number of the prompts during training.
    """

    def __init__(self, first: Tensor, deep: Tensor | None, projection: nn.Module, dropout: float) -> None:
        super().__init__()
        self.vpt_embeddings = nn.Parameter(first)
        self.vpt_embeddings_deep = None if deep is None else nn.Parameter(deep)
        self.vpt_dropout = nn.Dropout(dropout)
        self.vpt_proj = projection

    def forward(self) -> Prompts:
        """The projected prompts."""
        deep = None if self.vpt_embeddings_deep is None else self.vpt_proj(self.vpt_embeddings_deep)
        dropout = self.vpt_dropout.p if self.training else 0.0
        return Prompts(first=self.vpt_proj(self.vpt_embeddings)[0], deep=deep, dropout=dropout)

    def explain_mismatch(self, name: str, given: Sequence[int], own: Sequence[int]) -> str:
        """Another depth or width of the backbone, or another number of prompts."""
        return explain_visual_shape(name, given, own)


def explain_visual_shape(name: str, given: Sequence[int], own: Sequence[int]) -> str:
    """Why visual prompts in a checkpoint may have another shape than ours."""
    if name == "vpt_embeddings_deep" and own[0] != given[0]:
        return f" (it was trained for a backbone of {given[0] + 1} blocks, this one has {own[0] + 1})"
    return explain_prompt_shape(given, own) if name in ("vpt_embeddings", "vpt_embeddings_deep") else ""


def initial_visual_prompts(
    backbone: Backbone, *, n_ctx: int, deep: bool, width: int | None = None
) -> tuple[Tensor, Tensor | None]:
    """Random prompts, uniform with VPT's bound sqrt(6 / (3 patch area + width)).

    Args:
        backbone: gives width, blocks and patch size.
        n_ctx: number P of prompts in a block.
        deep: prompts for every block.
        width: width of the prompts if they are projected.

    Returns:
        (1, P, d), and (L - 1, P, d) or ``None``.

    Raises:
        BackboneError: the backbone cannot carry visual prompts.
    """
    backbone.require_visual_prompts()
    width = backbone.vision_width if width is None else width
    patch_height, patch_width = backbone.patch_size
    bound = math.sqrt(6.0 / (3 * patch_height * patch_width + width))
    dtype, layers = parameter_dtype(backbone), backbone.vision_layers
    first = torch.empty(1, n_ctx, width, dtype=dtype).uniform_(-bound, bound)
    if not deep or layers == 1:
        return first, None
    return first, torch.empty(layers - 1, n_ctx, width, dtype=dtype).uniform_(-bound, bound)


def visual_projection(backbone: Backbone, width: int) -> nn.Linear:
    """A linear map from prompts of ``width`` to the vision width, initialised as VPT does."""
    linear = nn.Linear(width, backbone.vision_width, dtype=parameter_dtype(backbone))
    nn.init.kaiming_normal_(linear.weight, a=0, mode="fan_out")
    return linear
