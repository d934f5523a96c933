"""Tasks known from a record, without their images: what a trained model needs to be built again and to classify."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from mvlpt.data.datasets.base_dataset import DatasetBase
from mvlpt.data.tasks import TaskInfo

_recorded: ContextVar[tuple[TaskInfo, ...]] = ContextVar("mvlpt_recorded_tasks", default=())


class RecordedDataset(DatasetBase):
    """The classes of a task and how its images are read; it has no images.

    Args:
        task: its description.
    """

    def __init__(self, task: TaskInfo) -> None:
        self.name, self.metric, self.multi_label = task.name, task.metric, task.multi_label
        self.templates, self.center_crop, self.transparency = task.templates, task.center_crop, task.transparency
        super().__init__(classnames=task.classnames)


@contextmanager
def recorded_tasks(tasks: Sequence[TaskInfo]) -> Iterator[None]:
    """Context in which every :class:`~mvlpt.data.DataManager` has these tasks, without images and without loaders."""
    token = _recorded.set(tuple(tasks))
    try:
        yield
    finally:
        _recorded.reset(token)


def recorded_datasets() -> list[RecordedDataset]:
    """The data sets of :func:`recorded_tasks`; empty outside that context."""
    return [RecordedDataset(task) for task in _recorded.get()]
