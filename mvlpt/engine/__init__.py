"""The engine: trainers with Dassl's interface, on current PyTorch.

The names are imported when they are first used, so that a tool which only writes files does not load torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mvlpt.lazy import lazy_exports

if TYPE_CHECKING:
    from mvlpt.engine.backbone import configured_backbone, pretrained_weights
    from mvlpt.engine.registries import (
        TRAINER_REGISTRY,
        build_trainer,
        current_config,
        extend_config,
        load_entry_points,
        load_shipped,
        register_options,
    )
    from mvlpt.engine.simple_trainer import SimpleTrainer
    from mvlpt.engine.trainer_base import TrainerBase
    from mvlpt.engine.trainer_x import TrainerX
    from mvlpt.engine.trainer_xu import TrainerXU

__all__ = [
    "TRAINER_REGISTRY",
    "SimpleTrainer",
    "TrainerBase",
    "TrainerX",
    "TrainerXU",
    "build_trainer",
    "configured_backbone",
    "current_config",
    "extend_config",
    "load_entry_points",
    "load_shipped",
    "pretrained_weights",
    "register_options",
]

__getattr__ = lazy_exports(
    __name__,
    {
        "TRAINER_REGISTRY": "registries",
        "build_trainer": "registries",
        "configured_backbone": "backbone",
        "current_config": "registries",
        "extend_config": "registries",
        "load_entry_points": "registries",
        "load_shipped": "registries",
        "pretrained_weights": "backbone",
        "register_options": "registries",
        "SimpleTrainer": "simple_trainer",
        "TrainerBase": "trainer_base",
        "TrainerX": "trainer_x",
        "TrainerXU": "trainer_xu",
    },
)
