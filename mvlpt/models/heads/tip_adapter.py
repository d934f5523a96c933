"""Tip-Adapter: training images as a memory beside the zero-shot classifier.

Zhang et al., Tip-Adapter: Training-Free Adaption of CLIP for Few-Shot Classification (ECCV 2022, arXiv 2207.09519),
section 3.1 (training-free) and 3.2 (fine-tuned keys).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mvlpt.errors import PromptError
from mvlpt.models.heads.base import ClassTexts, FeatureHead, Support


@dataclass(frozen=True)
class TipAdapterOptions:
    """Weight and sharpness of the memory.

    Attributes:
        alpha: weight of the memory beside the zero-shot logits (the paper's residual ratio).
        beta: sharpness of the similarity, exp(-beta (1 - cosine)).
    """

    alpha: float = 1.0
    beta: float = 5.5

    def __post_init__(self) -> None:
        for name, value in (("ALPHA", self.alpha), ("BETA", self.beta)):
            if not value >= 0:
                raise PromptError(f"TRAINER.TIPADAPTER.{name} must not be negative, but is {value}")


class TipAdapterHead(FeatureHead):
    """``scale f T' + alpha exp(-beta (1 - f F')) L`` with keys F (N, E) and labels L (N, K) of the training images.

    The keys of an image are averaged over its views, as in section 4.1 of the paper.
    """

    options, section, trains = TipAdapterOptions, "TIPADAPTER", False

    def __init__(self, texts: ClassTexts, scale: Tensor, images: int, options: Any) -> None:
        super().__init__(texts, scale, images, options)
        self._make_room(images)

    def _make_room(self, images: int) -> None:
        classes, width = self.text_weights.shape
        keys = torch.zeros(images, width, device=self.text_weights.device)
        if self.trains:
            self.keys = nn.Parameter(keys)
        else:
            self.register_buffer("keys", keys)
        self.register_buffer("values", torch.zeros(images, classes, device=keys.device))

    @torch.no_grad()
    def fit(self, support: Support) -> None:
        """Remembers the images."""
        self.keys.copy_(support.mean_view())
        self.values.copy_(support.shares)

    def forward(self, features: Tensor, task: Tensor | None = None) -> Tensor:
        """Zero-shot logits and votes of the memory; images of other tasks vote for other classes only."""
        votes = torch.exp(-self.chosen.beta * (1 - features @ self.keys.t())) @ self.values
        return self.scale * features @ self.text_weights.t() + self.chosen.alpha * votes

    def expect(self, state: dict[str, Tensor]) -> None:
        """As many images as the checkpoint has."""
        keys = state.get("keys")
        if keys is not None and keys.ndim == 2 and len(keys) != len(self.keys):
            self._make_room(len(keys))


class TipAdapterFHead(TipAdapterHead):
    """Tip-Adapter whose keys are trained, starting from the images' features (section 3.2)."""

    trains = True
