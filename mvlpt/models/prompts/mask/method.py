"""Mask tuning as a method: its options and how it is built.

Zheng, Wu et al., Regularized Mask Tuning: Uncovering Hidden Knowledge in Pre-trained Vision-Language Models (ICCV 2023,
arXiv 2307.15049), section 3.2: attention mask tuning. The regularisation is the trainer's matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mvlpt.errors import PromptError
from mvlpt.models.backbone.backbone import Backbone
from mvlpt.models.prompts.base import PromptLearner
from mvlpt.models.prompts.contexts import parameter_dtype
from mvlpt.models.prompts.mask.learner import MaskLearner
from mvlpt.models.prompts.method import WeightChangeMethod, plain_prompts, register_prompt_method
from mvlpt.models.towers.text_layout import TextLayout


@dataclass(frozen=True)
class MaskOptions:
    """The numbers behind the masks.

    Attributes:
        mask_start: each number before training.
        mask_threshold: a weight is kept while its number is above this.
    """

    mask_start: float = 1e-2
    mask_threshold: float = 5e-3

    def __post_init__(self) -> None:
        if not self.mask_start > self.mask_threshold:
            raise PromptError(
                f"Masks keep every weight at the start, so MASK_START = {self.mask_start} must be above"
                f" MASK_THRESHOLD = {self.mask_threshold}"
            )


@register_prompt_method
class AttentionMask(WeightChangeMethod):
    """Binary masks on all projections of attention in the image tower; the text is "a photo of a NAME."."""

    name, options, learner = "mask", MaskOptions, MaskLearner
    trains_text = False

    def build(
        self, backbone: Backbone, class_names: Sequence[str], options: MaskOptions
    ) -> tuple[PromptLearner, TextLayout]:
        """Masks that keep every weight."""
        learner = MaskLearner(
            backbone.vision_layers,
            backbone.vision_width,
            start=options.mask_start,
            threshold=options.mask_threshold,
            dtype=parameter_dtype(backbone),
        )
        return learner, plain_prompts(backbone, class_names)
