"""IVLP as a prompt method: independent vision-language prompts, the baseline of MaPLe and the basis of PromptSRC.

Khattak et al., MaPLe: Multi-modal Prompt Learning (CVPR 2023, arXiv 2210.03117), section 4.2; and Self-regulating
Prompts (ICCV 2023, arXiv 2307.06948), section 3.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mvlpt.errors import PromptError
from mvlpt.models.backbone.backbone import Backbone
from mvlpt.models.prompts.base import PromptLearner
from mvlpt.models.prompts.deep import further_prompts, leading_contexts, leading_tokens, random_prompts
from mvlpt.models.prompts.ivlp.learner import IndependentPromptLearner
from mvlpt.models.prompts.method import PromptCost, PromptMethod, register_prompt_method
from mvlpt.models.towers.text_layout import TextLayout


@dataclass(frozen=True)
class IVLPOptions:
    """Number, initial values and depth of the contexts of each tower.

    Attributes:
        n_ctx_vision: visual prompts in each block.
        n_ctx_text: text contexts in each block.
        ctx_init: words of the class prompts; the first ``n_ctx_text`` of their tokens are tuned, the others stay. With
            fewer tokens than contexts, contexts are random.
        prompt_depth_vision: image blocks with prompts of their own; at most those that there are.
        prompt_depth_text: text blocks with contexts of their own; at most those that there are.
    """

    n_ctx_vision: int = 2
    n_ctx_text: int = 2
    ctx_init: str = "a photo of a"
    prompt_depth_vision: int = 9
    prompt_depth_text: int = 9

    def __post_init__(self) -> None:
        for name in ("n_ctx_vision", "n_ctx_text", "prompt_depth_vision", "prompt_depth_text"):
            if getattr(self, name) < 1:
                raise PromptError(f"IVLP needs {name.upper()} of at least 1, not {getattr(self, name)}")


@register_prompt_method
class IVLP(PromptMethod):
    """Deep contexts in both towers, trained side by side."""

    name, options, learner = "ivlp", IVLPOptions, IndependentPromptLearner
    trains_text = trains_image = True

    def build(
        self, backbone: Backbone, class_names: Sequence[str], options: IVLPOptions
    ) -> tuple[PromptLearner, TextLayout]:
        """Contexts from words in the first text block, random ones everywhere else."""
        ctx, layout = leading_contexts(backbone, class_names, options.n_ctx_text, options.ctx_init)
        visual = random_prompts(backbone, options.n_ctx_vision, backbone.vision_width)
        visual_deep = further_prompts(visual, options.prompt_depth_vision, backbone.vision_layers)
        ctx_deep = further_prompts(ctx, options.prompt_depth_text, backbone.text_layers)
        return IndependentPromptLearner(ctx, ctx_deep, visual, visual_deep, backbone.visual.ln_pre), layout

    def cost(self, options: IVLPOptions) -> PromptCost:
        """The contexts, in both towers."""
        return PromptCost(leading_tokens(options.n_ctx_text, options.ctx_init), options.n_ctx_vision)
