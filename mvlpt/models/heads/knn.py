"""Weighted nearest neighbours on frozen features.

Wu et al., Unsupervised Feature Learning via Non-Parametric Instance Discrimination (CVPR 2018, arXiv 1805.01978),
section 3.4: each of the nearest images votes for its class with exp(cosine / temperature).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mvlpt.errors import PromptError
from mvlpt.models.heads.base import Support
from mvlpt.models.heads.memory import VotingHead


@dataclass(frozen=True)
class KNNOptions:
    """How many neighbours vote, and how much less the farther ones count.

    Attributes:
        neighbors: number of images that vote; all where a task has fewer.
        temperature: of the votes.
    """

    neighbors: int = 8
    temperature: float = 0.07

    def __post_init__(self) -> None:
        if self.neighbors < 1:
            raise PromptError(f"TRAINER.KNN.NEIGHBORS must be at least 1, not {self.neighbors}")
        if not self.temperature > 0:
            raise PromptError(f"TRAINER.KNN.TEMPERATURE must be above 0, not {self.temperature}")


class KNNHead(VotingHead):
    """Logits are logarithms of the votes, so that their softmax is each class's share of the votes."""

    options, section, trains = KNNOptions, "KNN", False

    def make_room(self, images: int) -> None:
        """Also for the images' tasks."""
        super().make_room(images)
        self.register_buffer("task", self.text_task.new_zeros(images))

    def fit(self, support: Support) -> None:
        """Remembers the images, in the place of those that a checkpoint has brought."""
        self.make_room(len(support.shares))
        self.keys.copy_(support.mean_view())
        self.values.copy_(support.shares)
        self.task.copy_(support.task)

    def forward(self, features: Tensor, task: Tensor | None = None) -> Tensor:
        """Log votes (B, K) of the nearest images, of the same task where tasks are given; without a vote, very low."""
        cosines = features @ self.keys.t()
        known = self.values.sum(dim=1) > 0
        cosines = cosines.masked_fill(~known, -torch.inf)
        if task is not None:
            cosines = cosines.masked_fill(task[:, None] != self.task[None], -torch.inf)
        nearest, index = cosines.topk(min(self.chosen.neighbors, cosines.shape[1]), dim=1)
        strength = torch.exp((nearest - 1) / self.chosen.temperature)  # 0 for what may not vote
        votes = torch.einsum("bn,bnk->bk", strength, self.values[index])
        return votes.clamp_min(torch.finfo(votes.dtype).tiny).log()
