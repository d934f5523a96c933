"""A final model that keeps a share of what it started from.

A prompt that is tuned further on few images gains on what they show and forgets some of what it knew. The mean of the
weights before and after, which costs nothing, is often better than either (Wortsman et al., WiSE-FT, CVPR 2022, arXiv
2109.01903, section 3).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from yacs.config import CfgNode

from mvlpt.errors import ConfigError


class StartShare:
    """Remembers trained parameters, and later moves them part of the way back.

    Args:
        models: by name; their parameters that require a gradient are remembered as they are now.
        share: of the start in the mean, 0 to 1.
    """

    def __init__(self, models: Mapping[str, nn.Module], share: float) -> None:
        self._share = share
        self._start = [(value, value.detach().clone()) for model in models.values() for value in trained(model)]

    @torch.no_grad()
    def blend(self) -> None:
        """Replaces every parameter p by (1 - share) p + share p0, where p0 is what it started from."""
        for value, start in self._start:
            value.lerp_(start, self._share)


def trained(model: nn.Module) -> list[nn.Parameter]:
    """The parameters of a model that require a gradient."""
    return [value for value in model.parameters() if value.requires_grad]


def start_share(trainer: Any, cfg: CfgNode) -> StartShare | None:
    """What ``RUN.START_SHARE`` asks for, before the first step; ``None`` at 0."""
    if not cfg.RUN.START_SHARE or cfg.RUN.MODE != "train":
        return None
    models = {name: trainer._models[name] for name in trainer.get_model_names()}
    return StartShare(models, cfg.RUN.START_SHARE)


def check_start_share(cfg: CfgNode) -> None:
    """Refuses a share where there is nothing to take it of.

    Raises:
        ConfigError: the run starts from no prompt, or keeps its best epoch.
    """
    share = cfg.RUN.START_SHARE
    if not share or cfg.RUN.MODE != "train":
        return
    if not cfg.RUN.INIT_FROM:
        raise ConfigError(
            f"RUN.START_SHARE is {share:g}, but the run starts from no prompt; give --model-dir or --init-from, or set "
            "it to 0"
        )
    if cfg.TEST.FINAL_MODEL == "best_val":
        raise ConfigError(
            f"RUN.START_SHARE is {share:g} and TEST.FINAL_MODEL best_val: the epoch with the best validation score "
            "would not be the model that is tested; set TEST.FINAL_MODEL last_step, or RUN.START_SHARE 0"
        )
