"""CoCoOp as a prompt method: its options and how it is built.

Zhou et al., Conditional Prompt Learning for Vision-Language Models (arXiv 2203.05557).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mvlpt.models.backbone.backbone import Backbone
from mvlpt.models.prompts.base import PromptLearner
from mvlpt.models.prompts.cocoop.learner import ConditionalPromptLearner
from mvlpt.models.prompts.contexts import ContextOptions, learned_contexts
from mvlpt.models.prompts.method import PromptCost, PromptMethod, register_prompt_method
from mvlpt.models.towers.text_layout import TextLayout


@register_prompt_method
class CoCoOp(PromptMethod):
    """Contexts before the class name, shifted by a small network that reads the image's feature."""

    name, options, learner = "cocoop", ContextOptions, ConditionalPromptLearner
    trains_text = True
    conditional = True

    def read_section(self, section: Mapping[str, Any]) -> dict[str, Any]:
        """From a section like ``TRAINER.COCOOP``."""
        return {"n_ctx": section["N_CTX"], "ctx_init": section["CTX_INIT"]}

    def build(
        self, backbone: Backbone, class_names: Sequence[str], options: ContextOptions
    ) -> tuple[PromptLearner, TextLayout]:
        """Random contexts, or the embeddings of words, and a random network."""
        ctx, layout = learned_contexts(backbone, class_names, options)
        return ConditionalPromptLearner(ctx, backbone.embed_dim), layout

    def cost(self, options: ContextOptions) -> PromptCost:
        """The contexts, in every class prompt."""
        return PromptCost(text_tokens=options.n_ctx)
