"""Optimisers and learning-rate schedules by Dassl's names."""

from mvlpt.engine.optim.optimizers import AVAI_OPTIMS, build_optimizer
from mvlpt.engine.optim.schedules import (
    AVAI_SCHEDS,
    EpochSchedule,
    StagedSchedule,
    build_lr_scheduler,
    build_staged_scheduler,
)
from mvlpt.engine.optim.warmup import ConstantWarmupScheduler, LinearWarmupScheduler

__all__ = [
    "AVAI_OPTIMS",
    "AVAI_SCHEDS",
    "ConstantWarmupScheduler",
    "EpochSchedule",
    "LinearWarmupScheduler",
    "StagedSchedule",
    "build_lr_scheduler",
    "build_optimizer",
    "build_staged_scheduler",
]
