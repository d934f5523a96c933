"""Weights & Biases and MLflow. Where they send what they are given is up to their own settings and variables."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mvlpt.engine.loggers.logger import LOGGER_REGISTRY, RunLogger

PROJECT = "mvlpt"


@LOGGER_REGISTRY.register(name="wandb")
class WandbLogger(RunLogger):
    """Weights & Biases; ``WANDB_PROJECT``, ``WANDB_MODE`` and its other variables count."""

    package = "wandb"

    def open(self, folder: Path, options: Mapping[str, Any]) -> None:
        import wandb

        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT), name=str(folder), dir=str(folder), config=dict(options)
        )

    def epoch(self, values: Mapping[str, float], epoch: int) -> None:
        self._run.log({**values, "epoch": epoch}, step=epoch)

    def scores(self, values: Mapping[str, float]) -> None:
        self._run.summary.update(dict(values))

    def close(self, finished: bool) -> None:
        self._run.finish(exit_code=0 if finished else 1)


@LOGGER_REGISTRY.register(name="mlflow")
class MLflowLogger(RunLogger):
    """MLflow; ``MLFLOW_TRACKING_URI``, ``MLFLOW_EXPERIMENT_NAME`` and its other variables count."""

    package = "mlflow"

    def open(self, folder: Path, options: Mapping[str, Any]) -> None:
        import mlflow

        self._mlflow = mlflow
        if "MLFLOW_EXPERIMENT_NAME" not in os.environ:
            mlflow.set_experiment(PROJECT)
        mlflow.start_run(run_name=str(folder))
        mlflow.log_params({key: str(value)[:500] for key, value in options.items()})

    def epoch(self, values: Mapping[str, float], epoch: int) -> None:
        self._mlflow.log_metrics(_mlflow_names(values), step=epoch)

    def scores(self, values: Mapping[str, float]) -> None:
        self._mlflow.log_metrics(_mlflow_names(values))

    def close(self, finished: bool) -> None:
        self._mlflow.end_run("FINISHED" if finished else "FAILED")


def _mlflow_names(values: Mapping[str, float]) -> dict[str, float]:
    """Values under names that MLflow takes: letters, digits and ``_-. /``."""
    allowed = set("_-. /")
    return {"".join(s if s.isalnum() or s in allowed else "_" for s in name): value for name, value in values.items()}
