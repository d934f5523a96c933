"""Programs that follow a run: TensorBoard, CSV, Weights & Biases, MLflow, and those that plugins add."""

from mvlpt.engine.loggers.experiment_trackers import MLflowLogger, WandbLogger
from mvlpt.engine.loggers.logger import LOGGER_REGISTRY, RunLogger, check_loggers, chosen_loggers

__all__ = ["LOGGER_REGISTRY", "MLflowLogger", "RunLogger", "WandbLogger", "check_loggers", "chosen_loggers"]
