"""MVLPT-CoOp: one learned text context, shared by all tasks of the run."""

from __future__ import annotations

from typing import Any

from yacs.config import CfgNode

from mvlpt.engine import TRAINER_REGISTRY
from mvlpt.trainers.prompt_trainer import PromptTrainer

DEFAULT_CONTEXTS = 16


@TRAINER_REGISTRY.register(name="MVLPT-CoOp")
class MVLPTCoOp(PromptTrainer):
    """Text prompts (Zhou et al., CoOp, 2022) shared across tasks (Shen et al., MVLPT, 2022, section 3).

    Options under ``TRAINER.MVLPT.COOP``; ``N_CTX`` 0 means 16 contexts.
    """

    method = "coop"

    def prompt_options(self, cfg: CfgNode) -> dict[str, Any]:
        """Length, position, start words and kind of the context."""
        node = cfg.TRAINER.MVLPT.COOP
        return {
            "n_ctx": node.N_CTX or DEFAULT_CONTEXTS,
            "ctx_init": node.CTX_INIT,
            "csc": node.CSC,
            "class_token_position": node.CLASS_TOKEN_POSITION,
        }
