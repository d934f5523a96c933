"""What a logger of runs is, and which ones a configuration asks for (``RUN.LOGGER``)."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mvlpt.errors import MissingExtraError
from mvlpt.registry import Registry

LOGGER_REGISTRY = Registry("logger")


class RunLogger:
    """Follows one run; a plugin registers a subclass with ``LOGGER_REGISTRY.register(name="mine")``.

    Attributes:
        package: that it needs, as ``pip install`` calls it; ``""`` for none.
    """

    package = ""

    def open(self, folder: Path, options: Mapping[str, Any]) -> None:
        """The run begins, or goes on.

        Args:
            folder: of the run.
            options: of its configuration, flat.
        """

    def epoch(self, values: Mapping[str, float], epoch: int) -> None:
        """An epoch has ended.

        Args:
            values: ``loss``, ``train_accuracy``, ``val_accuracy``, ``lr``, ``images_per_second``, and those of each
                task as ``TASK/loss``; without those that are not known.
            epoch: from 1.
        """

    def scores(self, values: Mapping[str, float]) -> None:
        """The run was evaluated: percentages by ``SPLIT/TASK/METRIC``."""

    def close(self, finished: bool) -> None:
        """The run has ended; ``finished`` is false after an error or an interruption."""


@LOGGER_REGISTRY.register(name="tensorboard")
class TensorBoardLogger(RunLogger):
    """Scalars in the run's folder ``tensorboard``; the trainer writes them at every step."""


@LOGGER_REGISTRY.register(name="csv")
class CsvLogger(RunLogger):
    """``metrics.csv`` in the run's folder, which every run writes."""


def chosen_loggers(names: tuple[str, ...] | list[str]) -> dict[str, type[RunLogger]]:
    """The loggers of these names.

    Raises:
        UnknownNameError: there is no such logger.
    """
    return {name: LOGGER_REGISTRY.get(name) for name in names}


def check_loggers(names: tuple[str, ...] | list[str]) -> None:
    """Refuses loggers that cannot be used, before a run begins.

    Raises:
        UnknownNameError: there is no such logger.
        MissingExtraError: the package of one is not installed; the message has the command that installs it.
    """
    for name, logger in chosen_loggers(names).items():
        if logger.package and importlib.util.find_spec(logger.package) is None:
            raise MissingExtraError(
                f"The logger '{name}' needs the package {logger.package}: pip install {logger.package}"
            )
