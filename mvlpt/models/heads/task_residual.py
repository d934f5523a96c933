"""TaskRes: a residual for every class, added to its text feature.

Yu et al., Task Residual for Tuning Vision-Language Models (CVPR 2023, arXiv 2211.10277), section 3.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mvlpt.models.heads.base import ClassTexts
from mvlpt.models.heads.linear import LinearHead, Pullback, scaled


@dataclass(frozen=True)
class TaskResOptions:
    """Attributes:
    residual_scale: the paper's alpha; 0.5 in all its experiments but Flowers102 (1).
    """

    residual_scale: float = 0.5


class TaskResHead(LinearHead):
    """Text features t + alpha x, normalised; t as the text tower gives it, not normalised, and x from zero."""

    options, section = TaskResOptions, "TASKRES"

    def __init__(self, texts: ClassTexts, scale: Tensor, images: int, options: Any) -> None:
        super().__init__(texts, scale, images, options)
        self.text_feature_residuals = nn.Parameter(torch.zeros_like(texts.raw))

    def class_weights(self) -> Tensor:
        """The adapted text features at the length of the temperature."""
        return scaled(self._adapted(), self.scale)[0]

    def linearise(self) -> tuple[Tensor, Pullback]:
        """Through the normalisation to the residuals."""
        weights, pull_back = scaled(self._adapted(), self.scale)

        def set_gradients(gradient: Tensor) -> None:
            self.text_feature_residuals.grad = pull_back(gradient).mul_(self.chosen.residual_scale)

        return weights, set_gradients

    def _adapted(self) -> Tensor:
        return self.text_raw + self.chosen.residual_scale * self.text_feature_residuals
