"""Candidates: the ways to serve tasks with prompts, among which one is chosen for each task.

Shapes: T tasks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mvlpt.errors import GraphError, suggest
from mvlpt.graph.checks import check_tasks
from mvlpt.graph.grouping.groups import canonical_groups
from mvlpt.graph.grouping.partition import group_tasks

SINGLE, ALL = "single", "all"
COUNTS = (2, 3, 4, 6, 8)  # numbers of groups that are tried beside the one that the objective prefers
ADAPTED_PREFIX = "adapted-"


@dataclass(frozen=True)
class PromptSource:
    """A prompt that can serve a task: which tasks it is tuned on, and whether it is then adapted to the task.

    Attributes:
        tasks: that share the prompt, sorted.
        adapted: tuned further on the one task that it serves.
    """

    tasks: tuple[str, ...]
    adapted: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "tasks", tuple(sorted(self.tasks)))
        if len(self.tasks) == 1 and self.adapted:  # the prompt of one task is tuned on nothing else
            object.__setattr__(self, "adapted", False)


@dataclass(frozen=True)
class Candidate:
    """One way to serve all tasks.

    Attributes:
        name: such as ``single``, ``all``, ``visual-3`` or ``adapted-visual-3``.
        groups: a partition of the tasks; each group shares a prompt.
        adapted: each group's prompt is then adapted to each of its tasks.
    """

    name: str
    groups: tuple[tuple[str, ...], ...]
    adapted: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "groups", canonical_groups(self.groups))

    @property
    def arm(self) -> str:
        """``single``, ``all``, ``grouped`` or ``adapted``."""
        if self.adapted:
            return "adapted"
        if all(len(group) == 1 for group in self.groups):
            return SINGLE
        return ALL if len(self.groups) == 1 else "grouped"

    @property
    def simplicity(self) -> tuple[int, int, str]:
        """Sorts simple candidates first: alone, together, groups; then those with adaptation; fewer groups first."""
        return self.level, 0 if self.arm == SINGLE else len(self.groups), self.name

    @property
    def level(self) -> int:
        """How much it takes: 0 alone, 1 all together, 2 groups, 3 adapted."""
        return {SINGLE: 0, ALL: 1, "grouped": 2, "adapted": 3}[self.arm]

    def alone(self, tasks: Sequence[str]) -> np.ndarray:
        """Which tasks (T,) have a prompt of their own, the same as under the candidate ``single``."""
        own = {group[0] for group in self.groups if len(group) == 1}
        return np.array([task in own for task in tasks])

    def source_of(self, task: str) -> PromptSource:
        """The prompt that serves a task.

        Raises:
            GraphError: the task is in no group.
        """
        for group in self.groups:
            if task in group:
                return PromptSource(group, self.adapted)
        known = [name for group in self.groups for name in group]
        raise GraphError(f"Candidate '{self.name}' has no task '{task}'{suggest(task, known)}")


def propose_candidates(
    tasks: Iterable[str],
    similarities: Mapping[str, Any] | None = None,
    affinities: Mapping[str, Any] | None = None,
    *,
    partitions: Mapping[str, Iterable[Iterable[str]]] | None = None,
    counts: Sequence[int] = COUNTS,
    adapted: bool = True,
    **limits: Any,
) -> tuple[Candidate, ...]:
    """Alone, all together, the best groups by each matrix for several numbers of groups, and each of them adapted.

    Equal partitions are proposed once, under the first name.

    Args:
        tasks: names of the rows.
        similarities: (T, T) symmetric matrices by name.
        affinities: (T, T) directed matrices by name.
        partitions: further groups by name, which must keep to the limits.
        counts: numbers of groups to try; those that are not below T are left out.
        adapted: also propose to adapt every shared prompt to each of its tasks.
        **limits: for :func:`mvlpt.graph.group_tasks`, such as ``max_size``.

    Returns:
        Candidates: ``single`` and ``all`` first, then the groups that the objective prefers by each matrix, the given
        partitions, and groups of prescribed numbers; each is followed by its adaptation. Nothing depends on the order
        of the tasks.

    Raises:
        GraphError: a matrix cannot be used, or no partition satisfies the limits.
    """
    names = check_tasks(tasks)
    found: dict[tuple[tuple[tuple[str, ...], ...], bool], Candidate] = {}

    def add(name: str, groups: tuple[tuple[str, ...], ...]) -> None:
        candidate = Candidate(name, groups)
        if (candidate.groups, False) not in found:
            found[candidate.groups, False] = candidate
            if adapted and candidate.arm != SINGLE:
                found[candidate.groups, True] = Candidate(ADAPTED_PREFIX + name, candidate.groups, adapted=True)

    add(SINGLE, tuple((name,) for name in names))
    add(ALL, (names,))
    matrices = [(name, "similarity", matrix) for name, matrix in (similarities or {}).items()]
    matrices += [(name, "affinity", matrix) for name, matrix in (affinities or {}).items()]
    for count in (None, *(count for count in dict.fromkeys(counts) if 1 < count < len(names))):
        for name, kind, matrix in matrices:
            if any(one.name == f"{name}-{count}" for one in found.values()):
                continue  # the objective prefers this number by itself
            groups = group_tasks(matrix, names, kind=kind, groups=count, **limits).groups
            add(f"{name}-{len(groups)}", groups)
        for name, given in (partitions or {}).items() if count is None else ():
            groups = tuple(map(tuple, given))
            add(f"{name}-{len(groups)}", groups)
    return tuple(found.values())


def check_candidates(candidates: Sequence[Candidate], tasks: Iterable[str]) -> tuple[Candidate, ...]:
    """The candidates, once each of them serves exactly the tasks.

    Raises:
        GraphError: no candidate, a name used twice, or groups with an unknown, missing or repeated task.
    """
    names = check_tasks(tasks)
    if not candidates:
        raise GraphError("There is no candidate to choose from")
    seen: set[str] = set()
    for candidate in candidates:
        if candidate.name in seen:
            raise GraphError(f"Two candidates are named '{candidate.name}'; rename one")
        seen.add(candidate.name)
        members = [task for group in candidate.groups for task in group]
        unknown = next((task for task in members if task not in names), None)
        if unknown is not None:
            raise GraphError(
                f"Candidate '{candidate.name}' names the unknown task '{unknown}'{suggest(unknown, names)}"
            )
        missing = next((task for task in names if task not in members), None)
        if missing is not None:
            raise GraphError(f"Candidate '{candidate.name}' leaves out the task '{missing}'; put it into a group")
        if len(set(members)) < len(members):
            twice = next(task for task in members if members.count(task) > 1)
            raise GraphError(f"Candidate '{candidate.name}' has the task '{twice}' in two groups; remove one")
    return tuple(candidates)
