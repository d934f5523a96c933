"""The engine: trainers with Dassl's interface, on current PyTorch."""

from mvlpt.engine.registries import TRAINER_REGISTRY, build_trainer
from mvlpt.engine.simple_trainer import SimpleTrainer
from mvlpt.engine.trainer_base import TrainerBase
from mvlpt.engine.trainer_x import TrainerX

__all__ = ["TRAINER_REGISTRY", "SimpleTrainer", "TrainerBase", "TrainerX", "build_trainer"]
