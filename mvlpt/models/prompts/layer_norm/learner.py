"""The trained part of LayerNorm tuning: weights and biases of every layer norm.

Shape legend: L blocks, D width.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from mvlpt.models.backbone.backbone import Backbone
from mvlpt.models.prompts.base import PromptLearner, Prompts
from mvlpt.models.prompts.contexts import parameter_dtype
from mvlpt.models.towers.changes import Affine, BlockChange, TowerChange


class LayerNormLearner(PromptLearner):
    """Holds ``text_blocks`` (L, 2, 2, Dt): weight and bias of both norms of each block, ``text_last`` (2, Dt),
    ``image_blocks``, ``image_last``, and ``image_first`` where the image tower has a norm before its blocks.

    Args:
        text: the blocks of the text tower, and its last norm.
        image: the blocks of the image tower, and its last norm.
        image_first: the norm before the image tower's first block.
        dtype: of the parameters.
    """

    def __init__(
        self,
        text: tuple[nn.ModuleList, nn.Module],
        image: tuple[nn.ModuleList, nn.Module],
        image_first: nn.Module,
        dtype: torch.dtype,
    ) -> None:
        super().__init__()
        self.text_blocks, self.text_last = _copied(*text, dtype)
        self.image_blocks, self.image_last = _copied(*image, dtype)
        has_first = isinstance(image_first, nn.LayerNorm)
        self.image_first = nn.Parameter(_affine(image_first).to(dtype)) if has_first else None

    def forward(self) -> Prompts:
        """The norms of both towers."""
        return Prompts(
            text_change=TowerChange(_blocks(self.text_blocks), last_norm=_pair(self.text_last)),
            image_change=TowerChange(
                _blocks(self.image_blocks),
                last_norm=_pair(self.image_last),
                first_norm=None if self.image_first is None else _pair(self.image_first),
            ),
        )


def norms_of(backbone: Backbone) -> tuple[Any, ...]:
    """The arguments of :class:`LayerNormLearner` for a backbone."""
    text, visual = backbone.text, backbone.visual
    return (
        (text.transformer.resblocks, text.ln_final),
        (visual.transformer.resblocks, visual.ln_post),
        visual.ln_pre,
        parameter_dtype(backbone),
    )


def _copied(blocks: nn.ModuleList, last: nn.Module, dtype: torch.dtype) -> tuple[nn.Parameter, nn.Parameter]:
    each = [torch.stack([_affine(block.ln_1), _affine(block.ln_2)]) for block in blocks]
    return nn.Parameter(torch.stack(each).to(dtype)), nn.Parameter(_affine(last).to(dtype))


def _affine(norm: nn.Module) -> Tensor:
    return torch.stack([norm.weight, norm.bias]).detach().cpu()


def _pair(affine: Tensor) -> Affine:
    return affine[0], affine[1]


def _blocks(affines: Tensor) -> list[BlockChange]:
    return [BlockChange(ln_1=_pair(first), ln_2=_pair(second)) for first, second in affines]
