"""CLIP-LoRA and LayerNorm tuning: small changes of the towers' weights, shared by all tasks of the run."""

from __future__ import annotations

from typing import Any

from yacs.config import CfgNode

from mvlpt.engine import TRAINER_REGISTRY
from mvlpt.trainers.prompt_trainer import PromptTrainer


@TRAINER_REGISTRY.register(name="CLIP-LoRA")
class CLIPLoRA(PromptTrainer):
    """Low-rank changes of attention (Zanella and Ben Ayed 2024, section 3); options under ``TRAINER.LORA``."""

    method = "lora"
    section = prompt_section = "LORA"


@TRAINER_REGISTRY.register()
class LNTuning(PromptTrainer):
    """All layer norms of both towers (Kim et al. 2021); the precision is ``TRAINER.LORA.PREC``."""

    method = "layer_norm"
    section, prompt_section = "LORA", ""

    def prompt_options(self, cfg: CfgNode) -> dict[str, Any]:
        """There are none."""
        return {}
