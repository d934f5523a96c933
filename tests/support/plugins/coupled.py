"""A plugin with a prompt method of its own and its trainer: deep contexts in the text tower that also give the visual
prompts, by one linear map (a small relative of MaPLe, Khattak et al. 2023), with a penalty on their length.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn
from yacs.config import CfgNode

from mvlpt.engine import TRAINER_REGISTRY
from mvlpt.errors import PromptError
from mvlpt.models.prompts import (
    ContextOptions,
    PromptCost,
    PromptLearner,
    PromptMethod,
    Prompts,
    learned_contexts,
    register_prompt_method,
)
from mvlpt.trainers import PromptTrainer


@dataclass(frozen=True)
class CoupledOptions:
    length: int = 2
    depth: int = 2

    def __post_init__(self):
        if min(self.length, self.depth) < 1:
            raise PromptError(f"LENGTH and DEPTH must be positive, not {self.length} and {self.depth}")


class CoupledLearner(PromptLearner):
    old_names: ClassVar = {"contexts": "ctx"}

    def __init__(self, ctx, depth, vision_width):
        super().__init__()
        self.ctx = nn.Parameter(ctx)
        self.deep = nn.Parameter(torch.randn(depth - 1, *ctx.shape) * 0.02)
        self.to_visual = nn.Linear(ctx.shape[-1], vision_width)

    def forward(self):
        first, deep = self.to_visual(self.ctx), self.to_visual(self.deep)
        return Prompts(text=self.ctx, first=first, deep=deep, text_deep=self.deep)


@register_prompt_method
class Coupled(PromptMethod):
    name, options, learner = "coupled", CoupledOptions, CoupledLearner
    trains_text = trains_image = True

    def build(self, backbone, class_names, options):
        ctx, layout = learned_contexts(backbone, class_names, ContextOptions(n_ctx=options.length))
        return CoupledLearner(ctx, options.depth, backbone.vision_width), layout

    def cost(self, options):
        return PromptCost(text_tokens=options.length, image_tokens=options.length)


@TRAINER_REGISTRY.register(name="MVLPT-Coupled")
class MVLPTCoupled(PromptTrainer):
    method, prompt_section, section = "coupled", "COUPLED", ""

    @staticmethod
    def extend_cfg(cfg):
        cfg.TRAINER.COUPLED = CfgNode({"LENGTH": 2, "DEPTH": 2, "PENALTY": 0.1})

    def losses(self, outputs, label):
        ctx = self.model.prompt_learner.ctx
        return super().losses(outputs, label) + self.cfg.TRAINER.COUPLED.PENALTY * ctx.square().mean()
