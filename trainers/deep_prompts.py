"""MaPLe and IVLP: deep prompts in both towers, coupled or independent."""

from __future__ import annotations

from mvlpt.engine import TRAINER_REGISTRY
from mvlpt.trainers.prompt_trainer import PromptTrainer


@TRAINER_REGISTRY.register()
class MaPLe(PromptTrainer):
    """Multi-modal prompt learning (Khattak et al. 2023a, section 3.2); options under ``TRAINER.MAPLE``."""

    method = "maple"
    section = prompt_section = "MAPLE"


@TRAINER_REGISTRY.register()
class IVLP(PromptTrainer):
    """Independent vision-language prompts (Khattak et al. 2023a, section 4.2); options under ``TRAINER.IVLP``."""

    method = "ivlp"
    section = prompt_section = "IVLP"
