"""DePT, decomposed prompt tuning, as a method: its options and how it is built.

Shi and Lipani, DePT: Decomposed Prompt Tuning for Parameter-Efficient Fine-tuning (ICLR 2024, arXiv 2309.05173),
section 2.2: a long prompt is replaced by a shorter one and by a matrix of low rank that is added to the frozen
embeddings of the input, position by position. Here the prompt is the contexts of class prompts, and the input is what
follows them: class name, full stop and end token. Decoupled prompt tuning (arXiv 2309.07439), which has the same short
name, is another method.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mvlpt.errors import PromptError
from mvlpt.models.backbone.backbone import Backbone
from mvlpt.models.prompts.base import PromptLearner
from mvlpt.models.prompts.contexts import ContextOptions, learned_contexts
from mvlpt.models.prompts.decomposed.learner import DecomposedPromptLearner
from mvlpt.models.prompts.method import PromptCost, PromptMethod, register_prompt_method
from mvlpt.models.towers.text_layout import TextLayout


@dataclass(frozen=True)
class DecomposedOptions(ContextOptions):
    """Contexts, and the offsets of what follows them.

    Attributes:
        n_ctx: number of contexts.
        ctx_init: words to start from, ``_`` read as a space; then ``n_ctx`` becomes the number of words.
        rank: of the offsets.
        alpha: they are scaled by alpha / sqrt(rank), as in the authors' code.
    """

    n_ctx: int = 4
    rank: int = 10
    alpha: float = 8.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rank < 1:
            raise PromptError(f"The rank of the offsets must be at least 1, not RANK = {self.rank}")


@register_prompt_method
class DecomposedPrompt(PromptMethod):
    """A short prompt, and offsets of low rank for the tokens after it."""

    name, options, learner = "decomposed", DecomposedOptions, DecomposedPromptLearner
    trains_text = True

    def build(
        self, backbone: Backbone, class_names: Sequence[str], options: DecomposedOptions
    ) -> tuple[PromptLearner, TextLayout]:
        """Contexts as CoOp's, and offsets of zero for all positions after them."""
        ctx, layout = learned_contexts(backbone, class_names, options)
        positions = backbone.context_length - 1 - len(ctx)
        learner = DecomposedPromptLearner(ctx, positions, options.rank, options.alpha / math.sqrt(options.rank))
        return learner, layout

    def cost(self, options: DecomposedOptions) -> PromptCost:
        """The contexts."""
        return PromptCost(text_tokens=options.n_ctx)
