"""Learning rates by epoch: the numbers of Dassl's schedulers in closed form.

A rate depends on the epoch alone, so a resumed run continues exactly where it was. The schedule's state is plain
numbers, which load with ``weights_only``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from yacs.config import CfgNode

from mvlpt.errors import ConfigError, suggest

AVAI_SCHEDS = ["single_step", "multi_step", "cosine", "constant"]


class EpochSchedule(LRScheduler):
    """Warm-up, then a decay of every group's base rate.

    Args:
        optimizer: whose rates are set; ``step()`` once after each epoch.
        decay: epoch, counted from 0, to the factor on the base rate.
        warmup_epochs: epochs of warm-up, 0 for none.
        warmup_rate: the rate of a constant warm-up, or of the first epoch of a linear one.
        warmup_linear: rise linearly to the base rate instead of staying constant.
        recount: the decay counts its epochs from the end of the warm-up (Dassl's default); otherwise its first
            epoch after the warm-up is at the full rate, and the shape continues as if it had run from the start.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        decay: Callable[[int], float],
        warmup_epochs: int = 0,
        warmup_rate: float = 0.0,
        warmup_linear: bool = False,
        recount: bool = True,
    ) -> None:
        self._decay = decay
        self._warmup = (max(0, warmup_epochs), warmup_rate, warmup_linear, recount)
        super().__init__(optimizer)

    def get_lr(self) -> list[float]:
        """The rate of each parameter group in the current epoch."""
        return [self.rate(base, self.last_epoch) for base in self.base_lrs]

    def rate(self, base: float, epoch: int) -> float:
        """The rate in ``epoch`` (from 0) of a group whose base rate is ``base``."""
        epochs, rate, linear, recount = self._warmup
        if epoch < epochs:
            return base * epoch / epochs if linear and epoch > 0 else rate
        if recount:
            return base * self._decay(epoch - epochs)
        return base * self._decay(epoch) / (self._decay(epochs) or 1.0 if epochs else 1.0)

    def state_dict(self) -> dict[str, Any]:
        """Plain numbers only: what the epoch does not determine."""
        return {"last_epoch": self.last_epoch, "base_lrs": list(self.base_lrs)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continues at the saved epoch and sets the optimiser's rates to that epoch's."""
        self.last_epoch = int(state_dict["last_epoch"])
        self.base_lrs = [float(rate) for rate in state_dict["base_lrs"]]
        for group, rate in zip(self.optimizer.param_groups, self.get_lr(), strict=True):
            group["lr"] = rate
        self._last_lr = self.get_lr()


class StagedSchedule(EpochSchedule):
    """Schedules one after the other: each begins its own epochs anew.

    Args:
        optimizer: whose rates are set; ``step()`` once after each epoch.
        parts: number of epochs and schedule of each stage; the last goes on for ever.
    """

    def __init__(self, optimizer: Optimizer, parts: Sequence[tuple[int, EpochSchedule]]) -> None:
        self._parts = list(parts)
        super().__init__(optimizer, decay=lambda epoch: 1.0)

    def rate(self, base: float, epoch: int) -> float:
        """The rate in ``epoch`` (from 0) of a group whose base rate is ``base``."""
        for epochs, part in self._parts[:-1]:
            if epoch < epochs:
                return part.rate(base, epoch)
            epoch -= epochs
        return self._parts[-1][1].rate(base, epoch)


def build_staged_scheduler(optimizer: Optimizer, optim_cfg: CfgNode, lengths: Sequence[int]) -> StagedSchedule:
    """The schedule of an ``OPTIM`` section, once for each stage, as if ``MAX_EPOCH`` were the stage's length.

    Args:
        optimizer: whose rates are set.
        optim_cfg: the ``OPTIM`` section.
        lengths: epochs of each stage; those of 0 are left out.

    Raises:
        ConfigError: see :func:`build_lr_scheduler`.
    """
    parts = []
    for length in lengths:
        if length:
            own = optim_cfg.clone()
            own.defrost()
            own.MAX_EPOCH = length
            unused = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=optim_cfg.LR)
            parts.append((length, build_lr_scheduler(unused, own)))
    return StagedSchedule(optimizer, parts)


def build_lr_scheduler(optimizer: Optimizer, optim_cfg: CfgNode) -> EpochSchedule:
    """The schedule that an ``OPTIM`` section describes.

    Raises:
        ConfigError: an unknown scheduler or warm-up type, or step sizes that do not fit the scheduler.
    """
    name, epochs = optim_cfg.LR_SCHEDULER, optim_cfg.MAX_EPOCH
    steps = [optim_cfg.STEPSIZE] if isinstance(optim_cfg.STEPSIZE, int) else list(optim_cfg.STEPSIZE)
    gamma = optim_cfg.GAMMA
    if name == "single_step":
        size = steps[-1] if steps and steps[-1] > 0 else epochs
        decay: Callable[[int], float] = lambda epoch: gamma ** (epoch // size)  # noqa: E731
    elif name == "multi_step":
        if not steps or min(steps) < 1:
            raise ConfigError(f"OPTIM.STEPSIZE is {tuple(steps)}; multi_step needs the epochs at which the rate falls")
        decay = lambda epoch: gamma ** sum(epoch >= milestone for milestone in steps)  # noqa: E731
    elif name == "cosine":
        decay = lambda epoch: 0.5 * (1 + math.cos(math.pi * epoch / epochs))  # noqa: E731
    elif name == "constant":
        decay = lambda epoch: 1.0  # noqa: E731
    else:
        raise ConfigError(f"OPTIM.LR_SCHEDULER is '{name}'{suggest(name, AVAI_SCHEDS)}")
    if optim_cfg.WARMUP_EPOCH <= 0:
        return EpochSchedule(optimizer, decay)
    if optim_cfg.WARMUP_TYPE not in ("constant", "linear"):
        raise ConfigError(f"OPTIM.WARMUP_TYPE is '{optim_cfg.WARMUP_TYPE}'; known: constant, linear")
    linear = optim_cfg.WARMUP_TYPE == "linear"
    return EpochSchedule(
        optimizer,
        decay,
        warmup_epochs=optim_cfg.WARMUP_EPOCH,
        warmup_rate=optim_cfg.WARMUP_MIN_LR if linear else optim_cfg.WARMUP_CONS_LR,
        warmup_linear=linear,
        recount=optim_cfg.WARMUP_RECOUNT,
    )
