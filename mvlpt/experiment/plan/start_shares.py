"""How much of the shared prompt an adapted one keeps, where an experiment does not say.

The fewer images, the more: the share falls with the square root of their number, as the noise of what they teach does.
Chosen on the embedded tasks' validation designers (``benchmarks/sharing.py --parts arms,shares``, docs/experiments.md).
"""

from __future__ import annotations

import dataclasses
import math

from mvlpt.experiment.arms import Run
from mvlpt.experiment.configurations import Configurations
from mvlpt.experiment.costs.tuning import prompt_parts
from mvlpt.graph.choice import IMAGE

OPTION = "RUN.START_SHARE"
SHARE = 0.5  # at one image a class, of prompts that change image features; text prompts gain nothing from it
ARMS = ("adapted", "chosen")  # not transfer, which is as in the paper


def with_start_share(run: Run, configurations: Configurations) -> Run:
    """A run that adapts a shared prompt, with the share of it that the result keeps; any other run as it is.

    Args:
        run: options that set ``RUN.START_SHARE`` stay.
        configurations: of its experiment.
    """
    if run.start is None or run.arm not in ARMS or OPTION in run.options:
        return run
    cfg = configurations.base(run.trainer, run.options)
    if IMAGE not in prompt_parts(cfg):
        return run
    if cfg.TEST.FINAL_MODEL == "best_val" or run.shots < 1 or cfg.TRAINER.MVLPT.DISTILL.FRESH:
        return run
    return dataclasses.replace(run, options={**run.options, OPTION: round(SHARE / math.sqrt(run.shots), 3)})
