"""CoOp as a prompt method: its options and how it is built.

Zhou et al., Learning to Prompt for Vision-Language Models (arXiv 2109.01134).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mvlpt.models.backbone.backbone import Backbone
from mvlpt.models.prompts.base import PromptLearner
from mvlpt.models.prompts.contexts import ContextOptions, learned_contexts, split_words
from mvlpt.models.prompts.coop.learner import TextPromptLearner
from mvlpt.models.prompts.method import PromptCost, PromptMethod, register_prompt_method
from mvlpt.models.towers.text_layout import TextLayout, check_position

logger = logging.getLogger(__name__)
CONTEXTS = 16  # where N_CTX is 0


@dataclass(frozen=True)
class CoOpOptions(ContextOptions):
    """Number, initial values and position of the contexts.

    Attributes:
        class_token_position: of the class name: ``end``, ``middle`` or ``front``.
        csc: every class has contexts of its own; ignored where ``ctx_init`` gives words.
    """

    class_token_position: str = "end"
    csc: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_position(self.class_token_position)
        words = split_words(self.ctx_init)
        if words and self.csc:
            logger.warning("CSC is ignored: contexts initialised from the words '%s' are shared", " ".join(words))
            object.__setattr__(self, "csc", False)


@register_prompt_method
class CoOp(PromptMethod):
    """Contexts among the words of the class prompts."""

    name, options, learner = "coop", CoOpOptions, TextPromptLearner
    trains_text = True

    def read_section(self, section: Mapping[str, Any]) -> dict[str, Any]:
        """From a section like ``TRAINER.COOP``."""
        return read_context_section(section, CONTEXTS)

    def build(
        self, backbone: Backbone, class_names: Sequence[str], options: CoOpOptions
    ) -> tuple[PromptLearner, TextLayout]:
        """Random contexts, or the embeddings of words."""
        position, own = options.class_token_position, options.csc
        ctx, layout = learned_contexts(backbone, class_names, options, position=position, class_specific=own)
        return TextPromptLearner(ctx), layout

    def cost(self, options: CoOpOptions) -> PromptCost:
        """The contexts, in every class prompt."""
        return PromptCost(text_tokens=options.n_ctx)


def read_context_section(section: Mapping[str, Any], default: int) -> dict[str, Any]:
    """``N_CTX`` (0: the default), ``CTX_INIT`` (takes precedence, as in CoOp), ``CSC`` and ``CLASS_TOKEN_POSITION``."""
    words = len(split_words(section["CTX_INIT"]))
    if words and section["N_CTX"] not in (0, words):
        logger.warning(
            "CTX_INIT '%s' makes %d contexts; N_CTX %d is ignored", section["CTX_INIT"], words, section["N_CTX"]
        )
    return {
        "n_ctx": section["N_CTX"] or default,
        "ctx_init": section["CTX_INIT"],
        "csc": section["CSC"],
        "class_token_position": section["CLASS_TOKEN_POSITION"],
    }
