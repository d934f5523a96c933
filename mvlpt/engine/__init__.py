"""The engine: trainers with Dassl's interface, on current PyTorch.

The names are imported when they are first used, so that a tool which only writes files does not load torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mvlpt.engine.registries import TRAINER_REGISTRY, build_trainer
    from mvlpt.engine.simple_trainer import SimpleTrainer
    from mvlpt.engine.trainer_base import TrainerBase
    from mvlpt.engine.trainer_x import TrainerX

__all__ = ["TRAINER_REGISTRY", "SimpleTrainer", "TrainerBase", "TrainerX", "build_trainer"]

_HOMES = {
    "TRAINER_REGISTRY": "registries",
    "build_trainer": "registries",
    "SimpleTrainer": "simple_trainer",
    "TrainerBase": "trainer_base",
    "TrainerX": "trainer_x",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
