"""LayerNorm tuning as a method.

Kim et al., How to Adapt Your Large-Scale Vision-and-Language Model (2021), section 3; first stage of 2SFS: Farina et
al., Rethinking Few-Shot Adaptation of Vision-Language Models in Two Stages (CVPR 2025, arXiv 2503.11609), section 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mvlpt.models.backbone.backbone import Backbone
from mvlpt.models.prompts.base import PromptLearner
from mvlpt.models.prompts.layer_norm.learner import LayerNormLearner, norms_of
from mvlpt.models.prompts.method import WeightChangeMethod, plain_prompts, register_prompt_method
from mvlpt.models.towers.text_layout import TextLayout


@dataclass(frozen=True)
class LayerNormOptions:
    """There are none: all norms are trained."""


@register_prompt_method
class LayerNormTuning(WeightChangeMethod):
    """Scales and shifts of all layer norms; the text is "a photo of a NAME."."""

    name, options, learner = "layer_norm", LayerNormOptions, LayerNormLearner

    def build(
        self, backbone: Backbone, class_names: Sequence[str], options: LayerNormOptions
    ) -> tuple[PromptLearner, TextLayout]:
        """Copies of the frozen norms."""
        return LayerNormLearner(*norms_of(backbone)), plain_prompts(backbone, class_names)
