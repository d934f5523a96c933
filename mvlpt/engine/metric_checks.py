"""Whether every task can be scored, found before anything is trained."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from yacs.config import CfgNode

from mvlpt.config import task_names
from mvlpt.data import Datum, TaskInfo, labels_of
from mvlpt.engine.predictions import recorded_tasks
from mvlpt.errors import ConfigError, DataError
from mvlpt.io import listed
from mvlpt.metrics import label_problem, metric_problem

log = logging.getLogger(__name__)


def check_evaluation(trainer: Any) -> None:
    """Refuses a run that would find after its training that it cannot be evaluated.

    Args:
        trainer: with its loaders built.

    Raises:
        ConfigError: ``best_val`` is asked for and there is no validation split, the split to evaluate has no images,
            or its predictions cannot be recorded.
        DataError: a task cannot be scored.
    """
    cfg = trainer.cfg
    trains, tests = cfg.RUN.MODE in ("train", "build"), not cfg.TEST.NO_TEST
    selects = cfg.TEST.FINAL_MODEL == "best_val" and tests
    if selects and trainer.val_loader is None:
        tasks = ", ".join(task_names(cfg))
        raise ConfigError(
            f"TEST.FINAL_MODEL is best_val, but {tasks} has no validation split; test data never selects a model:"
            " set TEST.FINAL_MODEL last_step, or take a task with a validation split"
        )
    if trainer.tests_on_loaders and tests and (trains or cfg.RUN.MODE == "eval"):
        check_has_images(trainer, cfg.TEST.SPLIT)
        _name_untested(trainer, cfg.TEST.SPLIT)
        if cfg.TEST.PREDICTIONS and cfg.TEST.SPLIT == "test":
            recorded_tasks(trainer)
    if not (trains and tests):
        return
    splits = {cfg.TEST.SPLIT} | ({"val"} if selects else set())
    loaders = {split: loader_of(trainer, split) for split in sorted(splits)}
    check_metrics(cfg, getattr(trainer.dm, "tasks", None) or (), loaders)


def loader_of(trainer: Any, split: str) -> Any:
    """The loader of ``val`` or ``test``; ``None`` where the split has no images."""
    return trainer.val_loader if split == "val" else trainer.test_loader


def check_has_images(trainer: Any, split: str) -> None:
    """Refuses to evaluate on a split without images.

    Raises:
        ConfigError: says what to set.
    """
    if loader_of(trainer, split) is None:
        other = "test" if split == "val" else "val"
        raise ConfigError(
            f"TEST.SPLIT is {split}, but {', '.join(task_names(trainer.cfg))} has no {split} images; set TEST.SPLIT"
            f" {other}, or TEST.NO_TEST True to train without a test"
        )


def _name_untested(trainer: Any, split: str) -> None:
    """Warns of tasks that will have no score, since the split holds images of the others only."""
    tasks = getattr(trainer.dm, "tasks", None) or ()
    items = getattr(loader_of(trainer, split), "data_source", None) or ()
    if len(tasks) > 1 and items and all(isinstance(item, Datum) for item in items):
        tested = {item.domain for item in items}
        if untested := [task.name for identity, task in enumerate(tasks) if identity not in tested]:
            log.warning(
                "%s %s no %s images and will have no score", listed(untested), "have" if untested[1:] else "has", split
            )


def check_metrics(cfg: CfgNode, tasks: Sequence[TaskInfo], loaders: Mapping[str, Any]) -> None:
    """Refuses a split whose labels leave a task's metric undefined; looks at labels only.

    Args:
        cfg: the configuration; evaluators of plugins define scores of their own and are not checked.
        tasks: the tasks.
        loaders: name of each split that will be evaluated to its loader.

    Raises:
        DataError: names the tasks, the splits and a remedy.
    """
    if cfg.TEST.EVALUATOR != "Classification":
        return
    problems = []
    for split, loader in loaders.items():
        items = getattr(loader, "data_source", None) or ()
        if not all(isinstance(item, Datum) for item in items):
            continue
        owner = [item.domain if len(tasks) > 1 else 0 for item in items]
        for identity, task in enumerate(tasks):
            own = [item for item, number in zip(items, owner, strict=True) if number == identity]
            if not own:
                continue
            labels = [label - task.start for item in own for label in labels_of(item)]
            counts = np.bincount(np.asarray(labels, dtype=np.int64), minlength=task.num_classes)
            problem = metric_problem(task.metric, task.num_classes, multi_label=task.multi_label)
            problem = problem or label_problem(task.metric, counts, len(own))
            if problem:
                problems.append(f"{task.name} cannot be scored on its {len(own)} {split} images: {problem}")
    if problems:
        raise DataError(
            "; ".join(problems) + "; give the task another metric or other images, or set TEST.NO_TEST True"
        )
