"""UPT as a prompt method: its options and how it is built.

Zang et al., Unified Vision and Language Prompt Learning (arXiv 2210.07225), as used by MVLPT.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mvlpt.errors import PromptError, suggest
from mvlpt.models.backbone.backbone import Backbone
from mvlpt.models.prompts.base import PromptLearner
from mvlpt.models.prompts.contexts import learned_contexts
from mvlpt.models.prompts.coop.method import CoOpOptions, read_context_section
from mvlpt.models.prompts.method import PromptCost, PromptMethod, register_prompt_method
from mvlpt.models.prompts.upt.learner import UnifiedPromptLearner
from mvlpt.models.prompts.vpt.learner import initial_visual_prompts
from mvlpt.models.prompts.vpt.method import VPTOptions, read_visual_section
from mvlpt.models.towers.text_layout import TextLayout

CONTEXTS = 4  # of each kind, where N_CTX is 0
PROJECT_METHODS = ("transformer", "mlp", "identity")


@dataclass(frozen=True)
class UPTOptions(CoOpOptions, VPTOptions):
    """The options of both prompts, and of the network that transforms them together.

    Attributes:
        project_method: kind of the network: ``transformer``, ``mlp`` or ``identity``.
        project_dim: width of the network.
        legacy: as in upstream's code, every prompt is a sequence of its own in the transformer.
    """

    n_ctx: int = 16
    project_method: str = "transformer"
    project_dim: int = 128
    legacy: bool = False

    def __post_init__(self) -> None:
        VPTOptions.__post_init__(self, self.n_ctx)  # before words, which count for the text alone, change n_ctx
        CoOpOptions.__post_init__(self)
        if self.vpt_project > -1:
            raise PromptError(
                "VPT.PROJECT cannot be joined with a unified prompt, which projects by itself; set it to -1"
            )
        if self.project_method not in PROJECT_METHODS:
            hint = suggest(self.project_method, PROJECT_METHODS)
            raise PromptError(f"PROJECT_METHOD '{self.project_method}' is unknown{hint}")
        if self.project_dim < 1:
            raise PromptError(f"PROJECT_DIM must be positive, not {self.project_dim}")


@register_prompt_method
class UPT(PromptMethod):
    """Text and visual prompts that a small network transforms together before they enter their towers."""

    name, options, learner = "upt", UPTOptions, UnifiedPromptLearner
    trains_text = True
    trains_image = True

    def read_section(self, section: Mapping[str, Any]) -> dict[str, Any]:
        """From a section like ``TRAINER.MVLPT``, which holds ``COOP`` and ``VPT``."""
        return {
            **read_context_section(section["COOP"], CONTEXTS),
            **read_visual_section(section["VPT"], CONTEXTS),
            "project_method": section["PROJECT_METHOD"],
            "project_dim": section["PROJECT_DIM"],
        }

    def build(
        self, backbone: Backbone, class_names: Sequence[str], options: UPTOptions
    ) -> tuple[PromptLearner, TextLayout]:
        """Text contexts as CoOp's, visual prompts as VPT's, and a random network."""
        position, own = options.class_token_position, options.csc
        ctx, layout = learned_contexts(backbone, class_names, options, position=position, class_specific=own)
        first, deep = initial_visual_prompts(backbone, n_ctx=options.vpt_n_ctx, deep=options.vpt_deep)
        learner = UnifiedPromptLearner(
            ctx,
            first,
            deep,
            method=options.project_method,
            project_dim=options.project_dim,
            dropout=options.vpt_dropout,
            legacy=options.legacy,
        )
        return learner, layout

    def cost(self, options: UPTOptions) -> PromptCost:
        """The prompts of both kinds."""
        return PromptCost(text_tokens=options.n_ctx, image_tokens=options.vpt_n_ctx)
