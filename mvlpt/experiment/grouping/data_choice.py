"""Which tasks a command line asks for."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from mvlpt.errors import ConfigError, suggest
from mvlpt.experiment.spec import Experiment


@dataclass(frozen=True)
class DataChoice:
    """Which tasks are grouped, and what is read of them; what is left out is a file's or the default.

    Attributes:
        tasks: names.
        backbone: an open_clip model, CoOp's spelling, or ``embedded``.
        root: folder of the data sets.
        shots: training images per class, -1 for all.
        seed: of the few-shot sample and the prompt.
    """

    tasks: tuple[str, ...] = ()
    backbone: str = ""
    root: str = ""
    shots: int | None = None
    seed: int | None = None

    def narrowed(self, experiment: Experiment, file: str) -> Experiment:
        """The experiment of a file with these tasks, shots, seed, backbone and root in the place of its own.

        Raises:
            ConfigError: it has no such task.
        """
        for task in self.tasks:
            if task not in experiment.all_tasks:
                raise ConfigError(f"{file} has no task '{task}'{suggest(task, experiment.all_tasks)}")
        given: dict[str, Any] = {"tasks": self.tasks, "root": self.root}
        given["backbone"] = {"name": self.backbone} if self.backbone else {}
        given["shots"] = () if self.shots is None else (self.shots,)
        given["seeds"] = () if self.seed is None else (self.seed,)
        return dataclasses.replace(experiment, **{key: value for key, value in given.items() if value})

    def overrides(self) -> list[Any]:
        """``KEY, VALUE, ...`` of a configuration."""
        words: list[Any] = ["SEED", 1 if self.seed is None else self.seed]
        words += ["DATASET.DATASET", ",".join(self.tasks)] if self.tasks else []
        words += ["MODEL.BACKBONE.NAME", self.backbone] if self.backbone else []
        words += ["DATASET.ROOT", self.root] if self.root else []
        words += ["DATASET.NUM_SHOTS", self.shots] if self.shots is not None else []
        return words
