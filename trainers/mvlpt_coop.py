"""MVLPT-CoOp and CoOp: learned text contexts, shared by all tasks of the run, or for one task."""

from __future__ import annotations

from mvlpt.engine import TRAINER_REGISTRY
from mvlpt.trainers.prompt_trainer import PromptTrainer
from mvlpt.trainers.single_task import SingleTask


@TRAINER_REGISTRY.register(name="MVLPT-CoOp")
class MVLPTCoOp(PromptTrainer):
    """Text prompts (Zhou et al., CoOp, 2022) shared across tasks (Shen et al., MVLPT, 2022, section 3).

    Options under ``TRAINER.MVLPT.COOP``; ``N_CTX`` 0 means 16 contexts.
    """

    method, prompt_section = "coop", "MVLPT.COOP"


@TRAINER_REGISTRY.register()
class CoOp(SingleTask, MVLPTCoOp):
    """Context optimisation (Zhou et al. 2022) under the name and options that its users know: ``TRAINER.COOP``."""

    section = prompt_section = "COOP"
