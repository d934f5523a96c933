"""CoOp: a learned text context for one task, under the name and options that CoOp's users know."""

from __future__ import annotations

from typing import Any

from yacs.config import CfgNode

from mvlpt.config import task_names
from mvlpt.engine import TRAINER_REGISTRY
from mvlpt.errors import ConfigError
from mvlpt.trainers.prompt_trainer import PromptTrainer


@TRAINER_REGISTRY.register()
class CoOp(PromptTrainer):
    """Context optimisation (Zhou et al. 2022) on a single task; options under ``TRAINER.COOP``."""

    method = "coop"
    section = "COOP"

    def check_cfg(self, cfg: CfgNode) -> None:
        """Refuses several tasks."""
        tasks = task_names(cfg)
        if len(tasks) > 1:
            raise ConfigError(f"CoOp tunes one task, not {len(tasks)}; use --trainer MVLPT-CoOp to share a prompt")

    def prompt_options(self, cfg: CfgNode) -> dict[str, Any]:
        """Length, position, start words and kind of the context."""
        node = cfg.TRAINER.COOP
        return {
            "n_ctx": node.N_CTX,
            "ctx_init": node.CTX_INIT,
            "csc": node.CSC,
            "class_token_position": node.CLASS_TOKEN_POSITION,
        }
