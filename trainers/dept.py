"""DePT: a short text prompt and low-rank offsets of the tokens after it, each at a learning rate of its own."""

from __future__ import annotations

from typing import Any

from mvlpt.engine import TRAINER_REGISTRY
from mvlpt.trainers.prompt_trainer import PromptTrainer


@TRAINER_REGISTRY.register()
class DePT(PromptTrainer):
    """Decomposed prompt tuning (Shi and Lipani, ICLR 2024, arXiv 2309.05173, section 2.2).

    Contexts learn at ``OPTIM.LR``, the two matrices of the offsets at ``OFFSET_LR_MULT`` times that (section 2.2, two
    speeds). Options under ``TRAINER.DEPT``.
    """

    method = "decomposed"
    section = prompt_section = "DEPT"

    def _parameter_groups(self) -> list[dict[str, Any]]:
        """The contexts, and the matrices of the offsets."""
        learner, rate = self.model.prompt_learner, self.cfg.OPTIM.LR * self.cfg.TRAINER.DEPT.OFFSET_LR_MULT
        return [{"params": [learner.ctx]}, {"params": [learner.offset_down, learner.offset_up], "lr": rate}]
