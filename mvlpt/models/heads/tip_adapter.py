"""Tip-Adapter: training images as a memory beside the zero-shot classifier.

Zhang et al., Tip-Adapter: Training-Free Adaption of CLIP for Few-Shot Classification (ECCV 2022, arXiv 2207.09519),
section 3.1 (training-free) and 3.2 (fine-tuned keys).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mvlpt.errors import PromptError
from mvlpt.models.heads.base import Support
from mvlpt.models.heads.memory import VotingHead


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


class TipAdapterHead(VotingHead):
    """``scale f T' + alpha exp(-beta (1 - f F')) L`` with keys F (N, E) and labels L (N, K) of the training images.

    The keys of an image are averaged over its views, as in section 4.1 of the paper.
    """

    options, section, trains = TipAdapterOptions, "TIPADAPTER", False

    @torch.no_grad()
    def fit(self, support: Support) -> None:
        """Remembers the images, in the place of those that a checkpoint has brought."""
        self.make_room(len(support.shares))
        self.keys.copy_(support.mean_view())
        self.values.copy_(support.shares)

    def forward(self, features: Tensor, task: Tensor | None = None) -> Tensor:
        """Zero-shot logits and votes of the memory; images of other tasks vote for other classes only."""
        votes = torch.exp(-self.chosen.beta * (1 - features @ self.keys.t())) @ self.values
        return self.scale * features @ self.text_weights.t() + self.chosen.alpha * votes


class TipAdapterFHead(TipAdapterHead):
    """Tip-Adapter whose keys are trained, starting from the images' features (section 3.2)."""

    trains = True
