"""Cross-modal linear probe: class prompts are training samples like the images.

Lin et al., Multimodality Helps Unimodality: Cross-Modal Few-Shot Learning with Multimodal Models (CVPR 2023, arXiv
2301.06267), section 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mvlpt.errors import PromptError
from mvlpt.models.heads.base import ClassTexts
from mvlpt.models.heads.linear import LinearHead, Pullback, Stream, row_weights


@dataclass(frozen=True)
class CrossModalOptions:
    """Attributes:
    text_share: what the class prompts have of the loss; 0.5: as many prompts as images in each batch.
    """

    text_share: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.text_share <= 1:
            raise PromptError(f"TRAINER.CROSSMODAL.TEXT_SHARE must lie in [0, 1], not {self.text_share}")


class CrossModalHead(LinearHead):
    """Weights (K, E) from the zero-shot classifier; logits are the temperature times w . f, w of any length.

    Each step sees as many class prompts, drawn without replacement while there are enough, as images.
    """

    options, section = CrossModalOptions, "CROSSMODAL"

    def __init__(self, texts: ClassTexts, scale: Tensor, images: int, options: Any) -> None:
        super().__init__(texts, scale, images, options)
        self.weight = nn.Parameter(texts.weights.detach().clone())

    def class_weights(self) -> Tensor:
        """The weights, times the temperature."""
        return self.scale * self.weight

    def rows(self, features: Tensor, targets: Tensor, stream: Stream) -> tuple[Tensor, Tensor, Tensor]:
        """The images, and as many class prompts, whose mean cross-entropy has ``text_share`` of the loss."""
        images, share = len(features), self.chosen.text_share
        drawn = torch.randperm(len(self.text_samples), generator=stream())[:images].to(features.device)
        samples, labels = self.text_samples.index_select(0, drawn), self.text_labels.index_select(0, drawn)
        if targets.ndim == 2:
            labels = F.one_hot(labels, targets.shape[1]).to(targets.dtype)
        weights = row_weights(features.device, (images, 1 - share), (len(drawn), share))
        return torch.cat([features, samples]), torch.cat([targets, labels]), weights

    def linearise(self) -> tuple[Tensor, Pullback]:
        """The weights, times the temperature, which their gradient gets as well."""

        def set_gradients(gradient: Tensor) -> None:
            self.weight.grad = gradient.mul_(self.scale)

        return self.class_weights(), set_gradients
