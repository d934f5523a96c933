"""Reptile: a shared prompt that is trained to be adapted well.

Shapes: B images.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import cycle, islice
from typing import Any

import torch
from torch import Tensor, nn
from yacs.config import CfgNode

from mvlpt.config import task_names
from mvlpt.errors import ConfigError
from mvlpt.trainers.frozen_clip import TaskInput

Step = Callable[[tuple[TaskInput, Tensor]], dict[str, float]]


class Reptile:
    """Reptile (Nichol et al., arXiv 1803.02999, section 3, algorithm 1) over the tasks of a run.

    Every batch is of one task. On it the trainer's optimiser makes ``INNER_STEPS`` steps; then the shared prompt moves
    from where it was by a share of the way to where they led:

        theta <- theta + RATE (1 - e / E) (theta' - theta)    in epoch e, from 0, of E

    The share falls linearly, as in the paper's experiments. Moments of the optimiser are kept from task to task, as in
    its code. The inner steps go through the batch in parts of ``BATCH`` images, again and again, or take all of it.

    Args:
        options: ``TRAINER.MVLPT.META``.
        parameters: of the prompt.
    """

    def __init__(self, options: CfgNode, parameters: Iterable[nn.Parameter]) -> None:
        self._options = options
        self._parameters = [parameter for parameter in parameters if parameter.requires_grad]

    def outer_step(self, step: Step, input: TaskInput, label: Tensor, done: float) -> dict[str, float]:
        """The inner steps on a batch of one task, and the move of the shared prompt.

        Args:
            step: makes one step of training on inputs and labels.
            input: of the batch.
            label: class ids (B,), or multi-hot rows.
            done: the share of the run that is over, from 0 to 1.

        Returns:
            What ``step`` returns, averaged over the inner steps.
        """
        before = [parameter.detach().clone() for parameter in self._parameters]
        size = self._options.BATCH or len(label)
        parts = [slice(start, start + size) for start in range(0, len(label), size)]
        made = [step((input[part], label[part])) for part in islice(cycle(parts), self._options.INNER_STEPS)]
        rate = self._options.RATE * (1 - done)
        with torch.no_grad():
            for parameter, start in zip(self._parameters, before, strict=True):
                parameter.copy_(start + rate * (parameter - start))
        return {key: sum(one[key] for one in made) / len(made) for key in made[0]}


def inner_steps(cfg: CfgNode, section: str) -> int:
    """Inner steps of a trainer that reads ``TRAINER.<section>``; 0 without Reptile."""
    return cfg.TRAINER.MVLPT.META.INNER_STEPS if section == "MVLPT" else 0


def check_meta(cfg: CfgNode, section: str) -> None:
    """Refuses Reptile by a trainer that cannot, or together with options that it cannot be used with.

    Args:
        cfg: the run's.
        section: of ``TRAINER``, which the trainer reads.

    Raises:
        ConfigError: says what to set.
    """
    meta: Any = cfg.TRAINER.MVLPT.META
    if not meta.INNER_STEPS:
        return
    asked = f"TRAINER.MVLPT.META.INNER_STEPS is {meta.INNER_STEPS}, but"
    if section != "MVLPT":
        raise ConfigError(
            f"{asked} {cfg.TRAINER.NAME} has no inner steps; set it to 0, or take a trainer with options under"
            " TRAINER.MVLPT, such as MVLPT-CoOp"
        )
    if cfg.TRAINER.MVLPT.PRIVATE.RANK:
        raise ConfigError(f"{asked} tasks have private parts, which are not shared; set TRAINER.MVLPT.PRIVATE.RANK 0")
    if len(task_names(cfg)) > 1 and cfg.DATALOADER.TASK_BATCHES != "single":
        raise ConfigError(f"{asked} batches mix tasks; set DATALOADER.TASK_BATCHES single")
