"""The result of every grouping method: which tasks share a prompt, and how good the groups are."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mvlpt.errors import GraphError, suggest

_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # a group's name is also a folder's


def canonical_groups(groups: Iterable[Iterable[str]]) -> tuple[tuple[str, ...], ...]:
    """Groups in a canonical order: large before small, then by the names in them; each group sorted by name."""
    return tuple(sorted((tuple(sorted(group)) for group in groups), key=lambda group: (-len(group), group)))


@dataclasses.dataclass(frozen=True)
class Grouping:
    """Groups of tasks that share a prompt.

    Attributes:
        groups: the task names of each group, in the order of :func:`canonical_groups`, or of the file they came from.
        method: the method that found them; ``manual`` for groups written by hand.
        objective: the value that the method maximised (``docs/grouping.md``); ``None`` if it maximised none.
        gap: ``(optimum - objective) / |optimum|``: 0.0 if the groups are proved optimal, ``None`` if the optimum is
            unknown.
        seed: of methods that draw random numbers.
        settings: everything else the result depends on, plain values only.
        serves: if groups overlap, the group that serves each task, which tasks of one group may lack; ``None`` if they
            do not.
        labels: the groups' names, if they are not ``g1``, ``g2``, ...

    Raises:
        GraphError: a group is empty or repeats a task, a task is in two groups without an entry in ``serves``, or
            ``serves`` omits such a task or names a group that does not contain it.
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
                raise GraphError(f"Group '{name}' is empty; add a task or remove the group")
            if (twice := _repeated(group)) is not None:
                raise GraphError(f"Group '{name}' contains '{twice}' twice; remove one")
        self._check_serves()

    def _check_labels(self) -> None:
        if self.labels and len(self.labels) != len(self.groups):
            raise GraphError(f"There are {len(self.groups)} groups but {len(self.labels)} names for them")
        for label in self.labels:
            if not isinstance(label, str) or not _LABEL.fullmatch(label):
                raise GraphError(
                    f"A group cannot be named {label!r}, since the name is also a folder; "
                    "use up to 64 letters, digits, '.', '_' and '-'"
                )
        if (twice := _repeated(self.labels)) is not None:
            raise GraphError(f"Two groups are named '{twice}'; names must differ")

    def _check_serves(self) -> None:
        holders: dict[str, list[str]] = {}
        for name, group in zip(self.names, self.groups, strict=True):
            for task in group:
                holders.setdefault(task, []).append(name)
        if self.serves is None:
            for task, names in holders.items():
                if len(names) > 1:
                    raise GraphError(
                        f"Task '{task}' is in group '{names[0]}' and in group '{names[1]}'; remove it from one, "
                        "or name under serves the group that serves it"
                    )
            return
        for task, name in self.serves.items():
            if task not in holders:
                raise GraphError(f"serves names the task '{task}', which is in no group{suggest(str(task), holders)}")
            if name not in holders[task]:
                raise GraphError(
                    f"serves says '{task}: {name}', but that group does not contain it{suggest('', holders[task])}"
                )
        for task in holders:
            if task not in self.serves and len(holders[task]) > 1:
                raise GraphError(f"serves omits the task '{task}'; name one of {', '.join(holders[task])}")
        only = {task: names[0] for task, names in holders.items() if task not in self.serves}
        object.__setattr__(self, "serves", {**self.serves, **only})

    @property
    def names(self) -> tuple[str, ...]:
        """The groups' names, in the order of ``groups``."""
        return self.labels or tuple(f"g{number}" for number in range(1, len(self.groups) + 1))

    @property
    def tasks(self) -> tuple[str, ...]:
        """All tasks, sorted by name."""
        return tuple(sorted({task for group in self.groups for task in group}))

    def renamed(self, names: Mapping[str, str]) -> Grouping:
        """The same groups with some tasks renamed.

        Raises:
            GraphError: two tasks of a group get the same name.
        """
        groups = tuple(tuple(names.get(task, task) for task in group) for group in self.groups)
        serves = self.serves and {names.get(task, task): group for task, group in self.serves.items()}
        return dataclasses.replace(self, groups=groups, serves=serves)

    def group_of(self, task: str) -> str:
        """The name of the group that serves a task.

        Raises:
            GraphError: no group contains the task.
        """
        if self.serves is not None and task in self.serves:
            return self.serves[task]
        for name, group in zip(self.names, self.groups, strict=True):
            if task in group:
                return name
        raise GraphError(f"No group contains the task '{task}'{suggest(str(task), self.tasks)}")

    def members(self, name: str) -> tuple[str, ...]:
        """The tasks of a group.

        Raises:
            GraphError: there is no such group.
        """
        if name not in self.names:
            raise GraphError(f"There is no group '{name}'{suggest(str(name), self.names)}")
        return self.groups[self.names.index(name)]


def _repeated(names: Sequence[str]) -> str | None:
    """A name that occurs twice, or ``None``."""
    if len(set(names)) == len(names):
        return None
    return next(name for name in names if names.count(name) > 1)


def relative_gap(optimum: float, objective: float, scale: float = 1.0) -> float:
    """The distance of an objective from the optimum, relative to the optimum; 0.0 if they differ by rounding only.

    Args:
        optimum, objective: sums of weights.
        scale: the largest of the weights that were added up, to which rounding is relative.
    """
    missing = optimum - objective
    if missing <= 1e-9 * max(scale, abs(optimum)):
        return 0.0
    return missing / abs(optimum) if optimum else math.inf
