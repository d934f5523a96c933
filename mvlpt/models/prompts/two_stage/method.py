"""2SFS as a method: how it is built.

Farina et al., Rethinking Few-Shot Adaptation of Vision-Language Models in Two Stages (CVPR 2025, arXiv 2503.11609),
section 4: the first stage tunes all layer norms, the second a linear classifier on what the tuned towers compute. Which
epochs belong to which stage is the trainer's matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mvlpt.models.backbone.backbone import Backbone
from mvlpt.models.prompts.base import PromptLearner
from mvlpt.models.prompts.classes import ClassWeights
from mvlpt.models.prompts.contexts import parameter_dtype
from mvlpt.models.prompts.layer_norm.learner import norms_of
from mvlpt.models.prompts.method import WeightChangeMethod, plain_prompts, register_prompt_method
from mvlpt.models.prompts.two_stage.learner import TwoStageLearner
from mvlpt.models.towers.text_layout import TextLayout


@dataclass(frozen=True)
class TwoStageOptions:
    """There are none: all norms and all classes are trained."""


@register_prompt_method
class TwoStage(WeightChangeMethod):
    """Layer norms, then weights of the classes; other classes are read from the text, "a photo of a NAME."."""

    name, options, learner = "two_stage", TwoStageOptions, TwoStageLearner

    def build(
        self, backbone: Backbone, class_names: Sequence[str], options: TwoStageOptions
    ) -> tuple[PromptLearner, TextLayout]:
        """Copies of the frozen norms, and no weights of classes."""
        classes = ClassWeights(len(class_names), backbone.embed_dim, parameter_dtype(backbone))
        return TwoStageLearner(classes, *norms_of(backbone)), plain_prompts(backbone, class_names)
