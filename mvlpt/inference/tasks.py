"""The tasks of a run or a prompt, from its records; from the data only where an older version kept no record."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from yacs.config import CfgNode

from mvlpt.config import task_names
from mvlpt.data import TaskInfo, build_dataset
from mvlpt.engine import ORIGIN, TASKS
from mvlpt.errors import CheckpointError, MvlptError, suggest
from mvlpt.inference.sources import Source
from mvlpt.io import listed
from mvlpt.models import PromptFile

log = logging.getLogger(__name__)


def recorded_infos(source: Source, prompt: PromptFile | None, cfg: CfgNode | None) -> list[TaskInfo]:
    """The tasks, one after the other in the label space.

    Args:
        source: a run or a prompt.
        prompt: its prompt file, if there is one.
        cfg: the run's configuration, if there is one.

    Raises:
        CheckpointError: no record names the classes, and the data are not there either.
    """
    state = source.state()
    listed = list(prompt.tasks) if prompt is not None else []
    kept = state.get(TASKS)
    if isinstance(kept, list) and kept:
        return _infos(kept, str(source.asked))
    if listed and all(isinstance(one, dict) and "center_crop" in one for one in listed):
        return _infos(listed, str(source.asked))
    reason = "there is no configuration of the run"
    if cfg is not None:
        try:
            return _from_data(cfg)
        except MvlptError as error:
            log.debug("The tasks of %s cannot be read from the data: %s", source.asked, error)
            reason = str(error)
    if listed:
        return _infos(listed, str(source.asked))
    trained = state.get(ORIGIN)
    classes = trained.get("class_names") if isinstance(trained, dict) else None
    names = task_names(cfg) if cfg is not None else []
    if isinstance(classes, list) and len(names) == 1:
        return _infos([{"name": names[0], "class_names": classes}], str(source.asked))
    raise CheckpointError(
        f"{source.asked} was written by an older version, which did not record the classes, and its data cannot be"
        f" read: {reason}"
    )


def choose_task(tasks: Sequence[TaskInfo], wanted: str | None, source: Source) -> int:
    """The number of the task that is asked for, or of the only one.

    Raises:
        CheckpointError: there is no such task, or there are several and none is named.
    """
    names = [task.name for task in tasks]
    if wanted is not None and wanted not in names:
        raise CheckpointError(f"{source.asked} was not trained on a task '{wanted}'{suggest(wanted, names)}")
    if wanted is None and len(tasks) > 1:
        raise CheckpointError(
            f"{source.asked} was trained on {len(tasks)} tasks; choose one with --task (task= in Python):"
            f" {', '.join(names)}"
        )
    return names.index(wanted) if wanted is not None else 0


def with_classes(tasks: Sequence[TaskInfo], task: str | None, classes: Sequence[str], source: Source) -> TaskInfo:
    """A task of other classes, whose images are read and whose templates are as those of ``task``, or of the first.

    Raises:
        CheckpointError: there is no such task, or ``classes`` are not different names.
    """
    if isinstance(classes, str):
        raise CheckpointError(f"Classes must be a list of names, not the single string '{classes:.200}'")
    names = [str(name).strip() for name in classes]
    if not names or not all(names):
        raise CheckpointError(f"Classes must be names, at least one and none of them empty, not {names!r:.200}")
    if repeated := sorted(name for name, count in Counter(names).items() if count > 1):
        raise CheckpointError(f"Classes must be different names; given more than once: {listed(repeated)}")
    like = tasks[choose_task(tasks, task, source) if task is not None else 0]
    return replace(like, classnames=tuple(names), start=0, stop=len(names), metric="accuracy", multi_label=False)


def _infos(records: Sequence[Any], source: str) -> list[TaskInfo]:
    tasks: list[TaskInfo] = []
    for record in records:
        tasks.append(TaskInfo.from_record(record, tasks[-1].stop if tasks else 0, source))
    return tasks


def _from_data(cfg: CfgNode) -> list[TaskInfo]:
    tasks: list[TaskInfo] = []
    for name in task_names(cfg):
        tasks.append(TaskInfo.of(build_dataset(cfg, name), tasks[-1].stop if tasks else 0))
    return tasks
