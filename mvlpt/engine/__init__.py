"""The engine: trainers with Dassl's interface, on current PyTorch.

The names are imported when they are first used, so that a tool which only writes files does not load torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mvlpt.lazy import lazy_exports

if TYPE_CHECKING:
    from mvlpt.engine.backbone import configured_backbone
    from mvlpt.engine.registries import TRAINER_REGISTRY, build_trainer
    from mvlpt.engine.simple_trainer import SimpleTrainer
    from mvlpt.engine.trainer_base import TrainerBase
    from mvlpt.engine.trainer_x import TrainerX

__all__ = ["TRAINER_REGISTRY", "SimpleTrainer", "TrainerBase", "TrainerX", "build_trainer", "configured_backbone"]

__getattr__ = lazy_exports(
    __name__,
    {
        "TRAINER_REGISTRY": "registries",
        "build_trainer": "registries",
        "configured_backbone": "backbone",
        "SimpleTrainer": "simple_trainer",
        "TrainerBase": "trainer_base",
        "TrainerX": "trainer_x",
    },
)
