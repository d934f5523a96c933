"""Which classes an image competes with: all tasks' classes, or its own task's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mvlpt.errors import PromptError, suggest

KINDS = ("joint", "per_task")


@dataclass(frozen=True)
class LabelSpace:
    """The classes of several tasks, one after the other.

    Attributes:
        kind: ``joint`` (one softmax over all classes) or ``per_task`` (other tasks' classes are excluded).
        ranges: (start, stop) of each task's classes.
        n_classes: number K of all classes.
        legacy: as upstream, ``per_task`` multiplies other tasks' logits by zero instead of excluding them.
    """

    kind: str
    ranges: tuple[tuple[int, int], ...]
    n_classes: int
    legacy: bool = False

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise PromptError(f"Label space '{self.kind}' is unknown{suggest(self.kind, KINDS)}")
        expected = 0
        for start, stop in self.ranges:
            if start != expected or stop <= start:
                raise PromptError(f"Task ranges must follow one another from 0 to {self.n_classes}, not {self.ranges}")
            expected = stop
        if expected != self.n_classes:
            raise PromptError(f"Task ranges end at class {expected}, but there are {self.n_classes} class names")

    @property
    def per_task(self) -> bool:
        """Whether an image competes with its own task's classes only."""
        return self.kind == "per_task"

    def tasks_in(self, task: Tensor) -> list[int]:
        """The tasks that occur in a batch, in ascending order.

        Raises:
            PromptError: a task that does not exist.
        """
        tasks = sorted(set(task.tolist()))
        if tasks and not 0 <= tasks[0] <= tasks[-1] < len(self.ranges):
            raise PromptError(f"A batch names task {tasks[-1] if tasks[0] >= 0 else tasks[0]} of {len(self.ranges)}")
        return tasks

    def classes_of(self, tasks: Sequence[int]) -> list[int]:
        """The classes of some tasks."""
        return [k for task in tasks for k in range(*self.ranges[task])]

    def tasks_of(self, classes: Tensor) -> Tensor:
        """The task of each class id, both (B,)."""
        starts = torch.tensor([start for start, _ in self.ranges], device=classes.device)
        return torch.bucketize(classes, starts, right=True) - 1

    def by_task(self, classes: Sequence[int] | None) -> list[tuple[int, list[int]]]:
        """Some classes, in ascending order, or all, as (task, its classes)."""
        wanted = range(self.n_classes) if classes is None else classes
        parts = [(task, [k for k in wanted if start <= k < stop]) for task, (start, stop) in enumerate(self.ranges)]
        return [(task, own) for task, own in parts if own]

    def restrict(self, logits: Tensor, task: Tensor, classes: Sequence[int] | None = None) -> Tensor:
        """Excludes the classes of other tasks.

        Args:
            logits: (B, K), or (B, K') if only some classes were computed.
            task: (B,) the task of every image.
            classes: the K' classes that were computed; ``None``: all.

        Returns:
            (B, K) with ``-inf`` (legacy: 0) where a class belongs to another task; ``joint``: as they are.
        """
        if not self.per_task:
            return logits
        task = task.to(logits.device)
        bounds = torch.tensor(self.ranges, device=logits.device)[task]  # (B, 2)
        index = torch.arange(self.n_classes, device=logits.device)
        foreign = (index < bounds[:, :1]) | (index >= bounds[:, 1:])
        filling = 0.0 if self.legacy else float("-inf")
        if classes is not None:
            columns = torch.tensor(classes, device=logits.device)
            logits = logits.new_full((logits.shape[0], self.n_classes), filling).index_copy(1, columns, logits)
        return logits.masked_fill(foreign, filling)
