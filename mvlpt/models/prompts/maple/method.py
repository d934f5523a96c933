"""MaPLe as a prompt method: its options and how it is built.

Khattak et al., MaPLe: Multi-modal Prompt Learning (CVPR 2023, arXiv 2210.03117), section 3.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mvlpt.errors import PromptError
from mvlpt.models.backbone.backbone import Backbone
from mvlpt.models.prompts.base import PromptLearner
from mvlpt.models.prompts.deep import further_prompts, leading_contexts, leading_tokens
from mvlpt.models.prompts.maple.learner import CoupledPromptLearner
from mvlpt.models.prompts.method import PromptCost, PromptMethod, register_prompt_method
from mvlpt.models.towers.text_layout import TextLayout


@dataclass(frozen=True)
class MaPLeOptions:
    """Number, initial values and depth of the contexts.

    Attributes:
        n_ctx: contexts in each block of each tower.
        ctx_init: words of the class prompts; the first ``n_ctx`` of their tokens are tuned, the others stay. With fewer
            tokens than contexts, contexts are random.
        prompt_depth: blocks with contexts of their own, at most those of the shorter tower.
    """

    n_ctx: int = 2
    ctx_init: str = "a photo of a"
    prompt_depth: int = 9

    def __post_init__(self) -> None:
        if self.n_ctx < 1:
            raise PromptError(f"MaPLe needs at least one context, not N_CTX = {self.n_ctx}")
        if self.prompt_depth < 1:
            raise PromptError(f"MaPLe needs contexts in at least one block, not PROMPT_DEPTH = {self.prompt_depth}")


@register_prompt_method
class MaPLe(PromptMethod):
    """Deep contexts in both towers; the visual ones are linear images of the textual ones."""

    name, options, learner = "maple", MaPLeOptions, CoupledPromptLearner
    trains_text = trains_image = True

    def build(
        self, backbone: Backbone, class_names: Sequence[str], options: MaPLeOptions
    ) -> tuple[PromptLearner, TextLayout]:
        """Contexts from words in the first block, random ones in the others, random maps."""
        ctx, layout = leading_contexts(backbone, class_names, options.n_ctx, options.ctx_init)
        deep = further_prompts(ctx, options.prompt_depth, backbone.vision_layers, backbone.text_layers)
        return CoupledPromptLearner(ctx, deep, backbone.vision_width, backbone.visual.ln_pre), layout

    def cost(self, options: MaPLeOptions) -> PromptCost:
        """The contexts, in both towers."""
        return PromptCost(leading_tokens(options.n_ctx, options.ctx_init), options.n_ctx)
