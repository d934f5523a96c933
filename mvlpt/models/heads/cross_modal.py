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
from mvlpt.models.heads.base import ClassTexts, FeatureHead


@dataclass(frozen=True)
class CrossModalOptions:
    """Attributes:
    text_share: what the class prompts have of the loss; 0.5: as many prompts as images in each batch.
    """

    text_share: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.text_share <= 1:
            raise PromptError(f"TRAINER.CROSSMODAL.TEXT_SHARE must lie in [0, 1], not {self.text_share}")


class CrossModalHead(FeatureHead):
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

    def joined_loss(self, loss: Tensor, images: int, generator: torch.Generator) -> Tensor:
        """The weighted mean of the images' loss and of that of as many class prompts."""
        share = self.chosen.text_share
        return (1 - share) * loss + share * self.text_loss(images, generator)

    def text_loss(self, images: int, generator: torch.Generator) -> Tensor:
        """Cross-entropy of some class prompts."""
        total = len(self.text_samples)
        drawn = torch.randperm(total, generator=generator)[:images]
        logits = self.text_samples[drawn.to(self.weight.device)] @ self.class_weights().t()
        return F.cross_entropy(logits, self.text_labels[drawn.to(self.weight.device)])
