"""VPT as a prompt method: its options and how it is built.

Jia et al., Visual Prompt Tuning (arXiv 2203.12119).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import InitVar, dataclass
from typing import Any

from torch import nn

from mvlpt.errors import PromptError
from mvlpt.models.backbone.backbone import Backbone
from mvlpt.models.prompts.base import PromptLearner
from mvlpt.models.prompts.method import PromptCost, PromptMethod, plain_prompts, register_prompt_method
from mvlpt.models.prompts.vpt.learner import VisualPromptLearner, initial_visual_prompts, visual_projection
from mvlpt.models.towers.text_layout import TextLayout

PROMPTS = 16  # where N_CTX is 0


@dataclass(frozen=True)
class VPTOptions:
    """Number, depth, dropout and width of visual prompts.

    Attributes:
        vpt_n_ctx: prompts in each block; by default as many as ``n_ctx`` says.
        vpt_deep: prompts in every block, not in the first only.
        vpt_dropout: dropout on the prompts.
        vpt_project: train prompts of this width and project them; -1: at the vision width.
        n_ctx: the value of ``vpt_n_ctx`` where that is not given.
    """

    vpt_n_ctx: int | None = None
    vpt_deep: bool = True
    vpt_dropout: float = 0.0
    vpt_project: int = -1
    n_ctx: InitVar[int] = PROMPTS

    def __post_init__(self, n_ctx: int) -> None:
        object.__setattr__(self, "vpt_dropout", float(self.vpt_dropout))
        if self.vpt_n_ctx is None:
            object.__setattr__(self, "vpt_n_ctx", n_ctx)
        if self.vpt_n_ctx < 1:
            raise PromptError(f"A visual prompt needs at least one context, not N_CTX = {self.vpt_n_ctx}")
        if not 0.0 <= self.vpt_dropout < 1.0:
            raise PromptError(f"VPT.DROPOUT must lie in [0, 1), not {self.vpt_dropout}")
        if self.vpt_project == 0:
            raise PromptError(f"VPT.PROJECT must be a positive width, or -1 for none, not {self.vpt_project}")


@register_prompt_method
class VPT(PromptMethod):
    """Prompts among the tokens of an image."""

    name, options, learner = "vpt", VPTOptions, VisualPromptLearner
    trains_image = True

    def read_section(self, section: Mapping[str, Any]) -> dict[str, Any]:
        """From a section like ``TRAINER.MVLPT.VPT``."""
        return read_visual_section(section, PROMPTS)

    def build(
        self, backbone: Backbone, class_names: Sequence[str], options: VPTOptions
    ) -> tuple[PromptLearner, TextLayout]:
        """Random prompts; the text is "a photo of a" and the name."""
        width = options.vpt_project if options.vpt_project > 0 else None
        projection = nn.Identity() if width is None else visual_projection(backbone, width)
        first, deep = initial_visual_prompts(backbone, n_ctx=options.vpt_n_ctx, deep=options.vpt_deep, width=width)
        return VisualPromptLearner(first, deep, projection, options.vpt_dropout), plain_prompts(backbone, class_names)

    def cost(self, options: VPTOptions) -> PromptCost:
        """The prompts, among the tokens of every image."""
        return PromptCost(image_tokens=options.vpt_n_ctx)


def read_visual_section(section: Mapping[str, Any], default: int) -> dict[str, Any]:
    """``N_CTX`` (0: the default), ``DEEP``, ``DROPOUT`` and ``PROJECT``."""
    return {
        "vpt_n_ctx": section["N_CTX"] or default,
        "vpt_deep": section["DEEP"],
        "vpt_dropout": section["DROPOUT"],
        "vpt_project": section["PROJECT"],
    }
