"""Those who follow a run: the terminal and the loggers of ``RUN.LOGGER``."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from types import TracebackType
from typing import Any

from yacs.config import CfgNode

from mvlpt.config import flatten
from mvlpt.engine.epoch_display import EpochDisplay
from mvlpt.engine.loggers import RunLogger, chosen_loggers

log = logging.getLogger(__name__)
EPOCH_KEYS = ("loss", "train_accuracy", "val_accuracy", "lr", "images_per_second")
TASK_KEYS = ("loss", "train_accuracy", "val_accuracy")


class RunWatchers:
    """Context of a run's training. A logger that fails is reported and left out; the run goes on.

    Args:
        trainer: whose epochs are followed.
    """

    def __init__(self, trainer: Any) -> None:
        self._trainer = trainer
        self._cfg: CfgNode = trainer.cfg
        self._display: EpochDisplay | None = None
        self._loggers: dict[str, RunLogger] = {}

    def __enter__(self) -> RunWatchers:
        for name, kind in chosen_loggers(self._cfg.RUN.LOGGER).items():
            try:
                self._loggers[name] = kind()
            except Exception as error:
                self._leave_out(name, error)
        self._call("open", Path(self._trainer.output_dir), dict(flatten(self._cfg)))
        return self

    def epoch_ended(self) -> None:
        """Shows and logs the line of the epoch that has just ended."""
        row, tasks = self._trainer.epoch_log.row, self._trainer.epoch_log.task_rows
        if self._cfg.VERBOSE:
            if self._display is None:
                names = [task.name for task in getattr(self._trainer.dm, "tasks", None) or ()]
                self._display = EpochDisplay(self._trainer.max_epoch, names, row["val_accuracy"] is not None)
            progress = self._trainer._progress
            left = progress.remaining() if progress is not None else math.nan
            self._display.show(row, tasks, None if math.isnan(left) else left)
        if self._loggers:
            values = {key: row[key] for key in EPOCH_KEYS} | {
                f"{task['task']}/{key}": task[key] for task in tasks for key in TASK_KEYS
            }
            known = {key: float(value) for key, value in values.items() if value is not None}
            self._call("epoch", known, row["epoch"])

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and self._loggers:
            split = self._cfg.TEST.SPLIT
            scores = self._trainer.task_scores.get(split, ())
            self._call("scores", {f"{split}/{score.task}/{score.metric}": float(score.value) for score in scores})
        self._call("close", kind is None)

    def _call(self, what: str, *values: Any) -> None:
        for name, logger in list(self._loggers.items()):
            try:
                getattr(logger, what)(*values)
            except Exception as error:
                self._leave_out(name, error)

    def _leave_out(self, name: str, error: Exception) -> None:
        """Whatever another library raises must not end a run."""
        log.warning("The logger '%s' failed (%s: %s) and is left out", name, type(error).__name__, error)
        self._loggers.pop(name, None)
