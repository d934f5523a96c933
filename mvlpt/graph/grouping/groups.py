"""The answer of every method that groups tasks: which tasks share a prompt, and how good the groups are."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from mvlpt.errors import GraphError, suggest

_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # a group's name is also a folder's


def canonical_groups(groups: Iterable[Iterable[str]]) -> tuple[tuple[str, ...], ...]:
    """Groups in the one order that does not depend on how they were found: large before small, then by name.

    Returns:
        The groups, each sorted by name; the sizes fall, equal sizes are ordered by the names in them.
    """
    return tuple(sorted((tuple(sorted(group)) for group in groups), key=lambda group: (-len(group), group)))


@dataclasses.dataclass(frozen=True)
class Grouping:
    """Groups of tasks that share a prompt.

    Attributes:
        groups: the task names of each group, in the order of :func:`canonical_groups`, or of the file they came from.
        method: what found them; ``manual`` where a person did.
        objective: what the method made as large as it could (``docs/grouping.md``); ``None`` where nothing was.
        gap: ``(optimum - objective) / |optimum|`` where the optimum is known, so 0.0 when the groups are proved to be
            optimal; ``None`` where it is not known.
        seed: the seed of a method that draws random numbers.
        settings: what else the answer depends on, plain values only.
        serves: for each task the name of the group that serves it, where groups overlap; ``None``: they do not.
        labels: the groups' names where a file gives others than ``g1``, ``g2``, ...

    Raises:
        GraphError: a group is empty, a task occurs twice in it or in two groups that ``serves`` does not tell apart, or
            ``serves`` leaves a task out or names a group that does not hold it.
    """

    groups: tuple[tuple[str, ...], ...]
    method: str = "manual"
    objective: float | None = None
    gap: float | None = None
    seed: int = 0
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    serves: Mapping[str, str] | None = None
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "groups", tuple(tuple(group) for group in self.groups))
        object.__setattr__(self, "labels", tuple(self.labels))
        if not self.groups:
            raise GraphError("A grouping needs at least one group")
        self._check_labels()
        for name, group in zip(self.names, self.groups, strict=True):
            if not group:
                raise GraphError(f"Group '{name}' is empty; put a task into it or take it out")
            twice = next((task for task in group if group.count(task) > 1), None)
            if twice is not None:
                raise GraphError(f"Group '{name}' holds '{twice}' twice; keep one")
        self._check_serves()

    def _check_labels(self) -> None:
        if self.labels and len(self.labels) != len(self.groups):
            raise GraphError(f"There are {len(self.groups)} groups but {len(self.labels)} names for them")
        for label in self.labels:
            if not isinstance(label, str) or not _LABEL.fullmatch(label):
                raise GraphError(
                    f"A group cannot be named {label!r}, which is also a folder's name; "
                    "take up to 64 letters, digits, '.', '_' and '-'"
                )
            if self.labels.count(label) > 1:
                raise GraphError(f"Two groups are named '{label}'; names must differ")

    def _check_serves(self) -> None:
        holders: dict[str, list[str]] = {}
        for name, group in zip(self.names, self.groups, strict=True):
            for task in group:
                holders.setdefault(task, []).append(name)
        if self.serves is None:
            for task, names in holders.items():
                if len(names) > 1:
                    raise GraphError(
                        f"Task '{task}' is in group '{names[0]}' and in group '{names[1]}'; take it out of one, "
                        "or say under serves which of them serves it"
                    )
            return
        for task, name in self.serves.items():
            if task not in holders:
                raise GraphError(f"serves names the task '{task}', which is in no group{suggest(str(task), holders)}")
            if name not in holders[task]:
                raise GraphError(
                    f"serves says '{task}: {name}', but that group does not hold it{suggest('', holders[task])}"
                )
        for task in holders:
            if task not in self.serves:
                raise GraphError(f"serves leaves out the task '{task}'; name one of {', '.join(holders[task])}")

    @property
    def names(self) -> tuple[str, ...]:
        """The groups' names, by position."""
        return self.labels or tuple(f"g{number}" for number in range(1, len(self.groups) + 1))

    @property
    def tasks(self) -> tuple[str, ...]:
        """Every task once, sorted by name."""
        return tuple(sorted({task for group in self.groups for task in group}))

    def renamed(self, names: Mapping[str, str]) -> Grouping:
        """The same groups with other names for some tasks.

        Raises:
            GraphError: two tasks of a group get one name.
        """
        groups = tuple(tuple(names.get(task, task) for task in group) for group in self.groups)
        serves = self.serves and {names.get(task, task): group for task, group in self.serves.items()}
        return dataclasses.replace(self, groups=groups, serves=serves)

    def group_of(self, task: str) -> str:
        """The name of the group that serves a task.

        Raises:
            GraphError: no group holds the task.
        """
        if self.serves is not None and task in self.serves:
            return self.serves[task]
        for name, group in zip(self.names, self.groups, strict=True):
            if task in group:
                return name
        raise GraphError(f"No group holds the task '{task}'{suggest(str(task), self.tasks)}")

    def members(self, name: str) -> tuple[str, ...]:
        """The tasks of a group.

        Raises:
            GraphError: there is no such group.
        """
        if name not in self.names:
            raise GraphError(f"There is no group '{name}'{suggest(str(name), self.names)}")
        return self.groups[self.names.index(name)]


def relative_gap(optimum: float, objective: float) -> float:
    """How far an objective is from the optimum, in parts of the optimum; 0.0 when rounding alone tells them apart."""
    short = optimum - objective
    if short <= 1e-9 * max(1.0, abs(optimum)):
        return 0.0
    return short / abs(optimum) if optimum else math.inf
