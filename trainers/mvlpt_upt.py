"""MVLPT-UPT and UPT: text and visual prompts with a small network for both, shared by tasks, or for one task."""

from __future__ import annotations

from mvlpt.engine import TRAINER_REGISTRY
from mvlpt.trainers.prompt_trainer import PromptTrainer
from mvlpt.trainers.single_task import SingleTask


@TRAINER_REGISTRY.register(name="MVLPT-UPT")
class MVLPTUPT(PromptTrainer):
    """Unified prompts (Zang et al., UPT, 2022) shared across tasks (Shen et al., MVLPT, 2022, section 3).

    Options under ``TRAINER.MVLPT``: ``COOP``, ``VPT``, ``PROJECT_METHOD``, ``PROJECT_DIM``; ``N_CTX`` 0 means 4.
    """

    method, prompt_section = "upt", "MVLPT"


@TRAINER_REGISTRY.register()
class UPT(SingleTask, MVLPTUPT):
    """Unified prompt tuning (Zang et al. 2022) on one task."""
