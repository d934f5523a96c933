"""CLIP-LoRA as a method: its options and how it is built.

Zanella and Ben Ayed, Low-Rank Few-Shot Adaptation of Vision-Language Models (CVPRW 2024, arXiv 2405.18541), section 3;
LoRA: Hu et al. (arXiv 2106.09685), section 4.1. ``peft`` is not used: it wraps the modules of the model, which here
stays as it is, and it cannot reach the packed projections of open_clip's attention.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mvlpt.errors import PromptError
from mvlpt.models.backbone.backbone import Backbone
from mvlpt.models.prompts.base import PromptLearner
from mvlpt.models.prompts.contexts import parameter_dtype
from mvlpt.models.prompts.lora.learner import PROJECTIONS, LowRankLearner
from mvlpt.models.prompts.method import WeightChangeMethod, plain_prompts, register_prompt_method
from mvlpt.models.towers.text_layout import TextLayout


@dataclass(frozen=True)
class LoRAOptions:
    """Size and place of the changes.

    Attributes:
        rank: of the matrices.
        alpha: what is added is scaled by alpha / sqrt(rank), as in the authors' code.
        lora_dropout: of the tokens that the change sees, while training.
        params: which projections change: "qkv" or some of these letters.
    """

    rank: int = 2
    alpha: float = 1.0
    lora_dropout: float = 0.25
    params: str = "qkv"

    def __post_init__(self) -> None:
        if self.rank < 1:
            raise PromptError(f"The rank of a low-rank change must be at least 1, not RANK = {self.rank}")
        if not 0 <= self.lora_dropout < 1:
            raise PromptError(f"LORA_DROPOUT must lie in [0, 1), not {self.lora_dropout}")
        if not self.params or set(self.params) - set(PROJECTIONS):
            raise PromptError(f"PARAMS must be some of the letters q, k and v, not '{self.params}'")


@register_prompt_method
class CLIPLoRA(WeightChangeMethod):
    """Low-rank changes of queries, keys and values in every block of both towers; the text is "a photo of a NAME."."""

    name, options, learner = "lora", LoRAOptions, LowRankLearner

    def build(
        self, backbone: Backbone, class_names: Sequence[str], options: LoRAOptions
    ) -> tuple[PromptLearner, TextLayout]:
        """Random ``down``, zero ``up``."""
        learner = LowRankLearner(
            (backbone.text_layers, backbone.text_width),
            (backbone.vision_layers, backbone.vision_width),
            rank=options.rank,
            scale=options.alpha / math.sqrt(options.rank),
            dropout=options.lora_dropout,
            projections=options.params,
            dtype=parameter_dtype(backbone),
        )
        return learner, plain_prompts(backbone, class_names)
