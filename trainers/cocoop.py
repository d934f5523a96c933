"""CoCoOp: text contexts that a small network shifts for every image."""

from __future__ import annotations

from mvlpt.engine import TRAINER_REGISTRY
from mvlpt.trainers.prompt_trainer import PromptTrainer


@TRAINER_REGISTRY.register()
class CoCoOp(PromptTrainer):
    """Conditional context optimisation (Zhou et al. 2022b); options under ``TRAINER.COCOOP``.

    Every image has class prompts of its own, so a step costs as many times CoOp's as a batch has images; keep batches
    small.
    """

    method = "cocoop"
    section = prompt_section = "COCOOP"
