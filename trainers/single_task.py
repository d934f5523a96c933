"""CoOp, VPT and UPT as their users know them: trainers that tune one task."""

from __future__ import annotations

from yacs.config import CfgNode

from mvlpt.config import task_names
from mvlpt.errors import ConfigError


class SingleTask:
    """Mixed into a trainer that tunes one task only."""

    def check_cfg(self, cfg: CfgNode) -> None:
        """Refuses several tasks.

        Raises:
            ConfigError: names the trainer that shares a prompt.
        """
        tasks, name = task_names(cfg), type(self).__name__
        if len(tasks) > 1:
            raise ConfigError(f"{name} tunes one task, not {len(tasks)}; use --trainer MVLPT-{name} to share a prompt")
        super().check_cfg(cfg)
