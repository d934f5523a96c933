"""LayerNorm tuning as a method.

Kim et al., How to Adapt Your Large-Scale Vision-and-Language Model (2021), section 3; first stage of 2SFS: Farina et
al., Rethinking Few-Shot Adaptation of Vision-Language Models in Two Stages (CVPR 2025, arXiv 2503.11609), section 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mvlpt.errors import BackboneError
from mvlpt.models.backbone.backbone import Backbone
from mvlpt.models.prompts.base import PromptLearner
from mvlpt.models.prompts.contexts import parameter_dtype
from mvlpt.models.prompts.layer_norm.learner import LayerNormLearner
from mvlpt.models.prompts.method import PromptMethod, plain_prompts, register_prompt_method
from mvlpt.models.towers.text_layout import TextLayout


@dataclass(frozen=True)
class LayerNormOptions:
    """There are none: all norms are trained."""


@register_prompt_method
class LayerNormTuning(PromptMethod):
    """Scales and shifts of all layer norms; the text is "a photo of a NAME."."""

    name, options, learner = "layer_norm", LayerNormOptions, LayerNormLearner
    trains_text = trains_image = True

    def check_backbone(self, backbone: Backbone) -> None:
        """Both towers must be open_clip transformers whose blocks can be run step by step."""
        backbone.require_text_prompts()
        if not backbone.can_step_images:
            raise BackboneError(
                f"The layer norms of backbone '{backbone.name}' cannot be tuned: its image tower is no ViT of open_clip"
                " that reads its class token"
            )

    def build(
        self, backbone: Backbone, class_names: Sequence[str], options: LayerNormOptions
    ) -> tuple[PromptLearner, TextLayout]:
        """Copies of the frozen norms."""
        text, visual = backbone.text, backbone.visual
        learner = LayerNormLearner(
            (text.transformer.resblocks, text.ln_final),
            (visual.transformer.resblocks, visual.ln_post),
            visual.ln_pre,
            parameter_dtype(backbone),
        )
        return learner, plain_prompts(backbone, class_names)
