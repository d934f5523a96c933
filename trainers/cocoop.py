"""CoCoOp: a text context that a small network shifts for every image."""

from __future__ import annotations

from typing import Any

from yacs.config import CfgNode

from mvlpt.engine import TRAINER_REGISTRY
from mvlpt.trainers.prompt_trainer import PromptTrainer


@TRAINER_REGISTRY.register()
class CoCoOp(PromptTrainer):
    """Conditional context optimisation (Zhou et al. 2022b); options under ``TRAINER.COCOOP``.

    Every image has class texts of its own, so a step costs batch size times as much as CoOp's; keep batches small.
    """

    method = "cocoop"
    section = "COCOOP"

    def prompt_options(self, cfg: CfgNode) -> dict[str, Any]:
        """Length and start words of the context."""
        return {"n_ctx": cfg.TRAINER.COCOOP.N_CTX, "ctx_init": cfg.TRAINER.COCOOP.CTX_INIT}
