"""TFUP: images without labels as a memory beside the zero-shot classifier, weighted by two similarities.

Long et al., Training-Free Unsupervised Prompt for Vision-Language Models (arXiv 2404.16339): the Feature Cache Model
chooses images by their confidence and by a prototype score, the Multi-level Similarity Measure joins a similarity of
features with one of class probabilities. Formulas as in the authors' code (github.com/wlb12345/TFUP, 2024).

Shapes: besides those of :mod:`mvlpt.models.heads.base`, C images in memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mvlpt.errors import PromptError
from mvlpt.models.heads.base import ClassTexts, Support
from mvlpt.models.heads.memory import MemoryHead


@dataclass(frozen=True)
class TFUPOptions:
    """What is remembered, and how much it counts.

    Attributes:
        alpha: weight of the memory beside the zero-shot logits.
        beta: sharpness of the joint similarity, exp(-beta (1 - similarity)).
        sharpness: what cosines are multiplied by before the softmax that gives class probabilities.
        share: share of a task's images that is remembered, divided among its classes.
        least, most: images of a class that are remembered at least and at most.
    """

    alpha: float = 0.3
    beta: float = 1.0
    sharpness: float = 10.0
    share: float = 0.3
    least: int = 9
    most: int = 16

    def __post_init__(self) -> None:
        for name in ("alpha", "beta"):
            if not getattr(self, name) >= 0:
                raise PromptError(f"TRAINER.TFUP.{name.upper()} must not be negative, but is {getattr(self, name)}")
        if not self.sharpness > 0:
            raise PromptError(f"TRAINER.TFUP.SHARPNESS must be above 0, not {self.sharpness}")
        if not 0 <= self.share <= 1:
            raise PromptError(f"TRAINER.TFUP.SHARE must lie in [0, 1], not {self.share}")
        if not 1 <= self.least <= self.most:
            raise PromptError(
                f"TRAINER.TFUP.LEAST must be at least 1 and not above MOST, but they are {self.least} and {self.most}"
            )

    def per_class(self, images: int, classes: int) -> int:
        """Images of a class that are remembered, of so many images of its task."""
        return min(self.most, max(self.least, int(self.share * images / classes)))


class TFUPHead(MemoryHead):
    """``scale f W' + alpha exp(-beta (1 - s)) L`` with ``s = (f F') g``: F (C, E) and L (C, K) are in memory.

    ``g`` is 2 for the image in memory whose class probabilities are nearest to those of ``f``, 0 for the farthest, and
    falls linearly with the divergence KL(f, F) between. Labels of training images are never looked at; an image may be
    in memory for several classes.
    """

    options, section, trains = TFUPOptions, "TFUP", False

    def __init__(self, texts: ClassTexts, scale: Tensor, images: int, options: Any) -> None:
        super().__init__(texts, scale, 0, options)  # it chooses among the images

    def make_room(self, images: int) -> None:
        """Also for the images' labels."""
        super().make_room(images)
        self.register_buffer("labels", self.text_task.new_zeros(images))

    @torch.no_grad()
    def fit(self, support: Support) -> None:
        """Chooses the images of each class among all images of its task."""
        features, keys, labels = support.mean_view(), [], []
        readable = features.norm(dim=-1) > 0
        for number in self.text_task.unique().tolist():
            own = features[readable & (support.task == number)]
            classes = (self.text_task == number).nonzero()[:, 0]
            count = self.chosen.per_class(len(own), len(classes))
            logs = self._log_probabilities(own, classes)
            for position, label in enumerate(classes.tolist()):
                chosen = representative(logs, position, count)
                keys.append(own[chosen])
                labels += [label] * len(chosen)
        self.make_room(len(labels))
        self.keys.copy_(torch.cat(keys))
        self.labels.copy_(torch.tensor(labels))

    def forward(self, features: Tensor, task: Tensor | None = None) -> Tensor:
        """Zero-shot logits, and for the classes of an image's own task the votes of the memory."""
        logits = self.scale * features @ self.text_weights.t()
        task = self.text_task.new_zeros(len(features)) if task is None else task
        for number in task.unique().tolist():
            rows = (task == number).nonzero()[:, 0]
            logits[rows] = logits[rows] + self.chosen.alpha * self._votes(features[rows], number)
        return logits

    def _votes(self, features: Tensor, task: int) -> Tensor:
        """(B, K) of images of one task."""
        classes = (self.text_task == task).nonzero()[:, 0]
        mine = (self.text_task[self.labels] == task).nonzero()[:, 0]
        keys, votes = self.keys[mine], features.new_zeros(len(features), len(self.text_task))
        if not len(keys):
            return votes
        logs = self._log_probabilities(features, classes)
        gaps = divergences(logs, self._log_probabilities(keys, classes))
        low, high = gaps.min(dim=1, keepdim=True).values, gaps.max(dim=1, keepdim=True).values
        semantic = 2 * (1 - (gaps - low) / (high - low).clamp_min(torch.finfo(gaps.dtype).tiny))
        strength = torch.exp(-self.chosen.beta * (1 - features @ keys.t() * semantic))
        return votes.index_add(1, self.labels[mine], strength)

    def _log_probabilities(self, features: Tensor, classes: Tensor) -> Tensor:
        return (self.chosen.sharpness * features @ self.text_weights[classes].t()).log_softmax(dim=-1)


def representative(logs: Tensor, label: int, count: int) -> Tensor:
    """Indices of the images that stand for a class: the most typical half of its most probable ones.

    Args:
        logs: (N, K) logarithms of the class probabilities.
        label: the class.
        count: how many; twice as many are looked at.
    """
    probable = logs[:, label].sort(descending=True, stable=True).indices[: 2 * count]
    distance = divergences(logs[probable], logs[probable]).sum(dim=1)
    return probable[distance.sort(stable=True).indices[:count]]


def divergences(logs: Tensor, others: Tensor) -> Tensor:
    """Kullback-Leibler divergences (N, M) of distributions with logarithms (N, K) from others (M, K)."""
    probability = logs.exp()
    return (probability * logs).sum(dim=-1, keepdim=True) - probability @ others.t()
