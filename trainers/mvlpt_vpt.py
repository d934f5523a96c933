"""MVLPT-VPT and VPT: learned tokens in the image tower, shared by all tasks of the run, or for one task."""

from __future__ import annotations

from mvlpt.engine import TRAINER_REGISTRY
from mvlpt.trainers.prompt_trainer import PromptTrainer
from mvlpt.trainers.single_task import SingleTask


@TRAINER_REGISTRY.register(name="MVLPT-VPT")
class MVLPTVPT(PromptTrainer):
    """Visual prompts (Jia et al., VPT, 2022) shared across tasks (Shen et al., MVLPT, 2022, section 3).

    Options under ``TRAINER.MVLPT.VPT``; ``N_CTX`` 0 means 16 tokens in each block.
    """

    method, prompt_section = "vpt", "MVLPT.VPT"


@TRAINER_REGISTRY.register()
class VPT(SingleTask, MVLPTVPT):
    """Visual prompt tuning (Jia et al. 2022) of a CLIP on one task."""
