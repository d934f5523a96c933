"""The partition problem: units of tasks that must stay together, their weights, and the limits on groups.

Tasks joined by ``must_link`` form one unit, so no method can separate them. Every limit is checked here, by itself and
against the others, before any search. Shapes: T tasks, U units.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import networkx as nx
import numpy as np

from mvlpt.errors import GraphError
from mvlpt.graph.checks import index_of
from mvlpt.graph.grouping.objective import integer_weights
from mvlpt.io import counted

Links = Iterable[Iterable[str]]
MAX_CLIQUE_SEARCH = 60  # units up to which the largest set that cannot_link separates is found exactly


@dataclass(frozen=True)
class Problem:
    """A partition to find: the largest sum of weights within groups that satisfy the limits.

    Attributes:
        weights: (U, U) integers in float64, symmetric, zeros on the diagonal.
        sizes: (U,) tasks in each unit.
        classes: (U,) classes of each unit; zeros where they are not limited.
        apart: (U, U) bool, symmetric: units that may not share a group.
        max_size: tasks in a group, possibly infinite.
        max_classes: classes in a group, possibly infinite.
        min_groups: the fewest groups allowed.
        max_groups: the most groups allowed.
        members: the indices of each unit's tasks.
    """

    weights: np.ndarray
    sizes: np.ndarray
    classes: np.ndarray
    apart: np.ndarray
    max_size: float
    max_classes: float
    min_groups: int
    max_groups: int
    members: tuple[tuple[int, ...], ...]

    def __len__(self) -> int:
        return len(self.members)

    @property
    def groups_are_free(self) -> bool:
        """Whether every set of units may be a group."""
        return not self.apart.any() and math.isinf(self.max_size) and math.isinf(self.max_classes)

    @property
    def count_is_free(self) -> bool:
        """Whether every number of groups is allowed."""
        return self.min_groups == 1 and self.max_groups == len(self)

    def score(self, labels: np.ndarray) -> float:
        """The sum of the weights of all pairs of units with the same label, exact."""
        return float(self.weights[labels[:, None] == labels[None, :]].sum()) / 2

    def is_feasible(self, labels: np.ndarray) -> bool:
        """Whether groups satisfy every limit."""
        together = labels[:, None] == labels[None, :]
        return bool(
            self.min_groups <= len(np.unique(labels)) <= self.max_groups
            and not (self.apart & together).any()
            and (together @ self.sizes <= self.max_size).all()
            and (together @ self.classes <= self.max_classes).all()
        )

    def task_labels(self, labels: np.ndarray) -> np.ndarray:
        """(T,) the group of each task, from (U,) the group of each unit."""
        out = np.empty(sum(map(len, self.members)), dtype=np.int64)
        for label, unit in zip(labels, self.members, strict=True):
            out[list(unit)] = label
        return out


def renumber(labels: np.ndarray) -> np.ndarray:
    """Labels as 0, 1, ... in order of first occurrence."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]


def build_problem(
    weights: np.ndarray,
    tasks: Sequence[str],
    *,
    groups: int | None = None,
    max_groups: int | None = None,
    max_size: int | None = None,
    max_classes: int | None = None,
    classes: Mapping[str, int] | None = None,
    must_link: Links = (),
    cannot_link: Links = (),
) -> Problem:
    """Joins must-linked tasks into units and refuses limits that no partition can satisfy.

    Args:
        weights: (T, T) of :func:`~mvlpt.graph.grouping.objective.pair_weights`.
        tasks: T names, in the order in which ties are broken.
        groups: the exact number of groups.
        max_groups: the most groups.
        max_size: the most tasks in a group.
        max_classes: the most classes in a group.
        classes: each task's number of classes.
        must_link: sets of two or more tasks that share a group; sets with a common task are joined.
        cannot_link: sets of two or more tasks of which no two share a group.

    Raises:
        GraphError: a limit is not a whole number above 0, a task is unknown, or limits contradict each other.
    """
    limits = {"groups": groups, "max_groups": max_groups, "max_size": max_size, "max_classes": max_classes}
    for name, limit in limits.items():
        if limit is not None and (not _is_integer(limit) or limit < 1):
            raise GraphError(f"{name} is {limit!r}; give a whole number of at least 1, or leave it out")
    if groups is not None and max_groups is not None and groups > max_groups:
        raise GraphError(f"groups is {groups}, but max_groups is {max_groups}; give one of them")
    counts = _class_counts(tasks, classes, max_classes)
    together = nx.Graph()
    together.add_nodes_from(range(len(tasks)))
    together.add_edges_from(_pairs(tasks, must_link, "must_link"))
    apart_pairs = sorted({(min(pair), max(pair)) for pair in _pairs(tasks, cannot_link, "cannot_link")})
    members = sorted(tuple(sorted(unit)) for unit in nx.connected_components(together))
    in_unit = np.zeros((len(members), len(tasks)))
    for row, unit in zip(in_unit, members, strict=True):
        row[list(unit)] = 1.0
    between = in_unit @ integer_weights(weights) @ in_unit.T
    np.fill_diagonal(between, 0.0)
    unit_of = in_unit.argmax(axis=0)
    apart = np.zeros(between.shape, dtype=bool)
    for i, j in apart_pairs:
        if unit_of[i] == unit_of[j]:
            raise GraphError(_contradiction([tasks[k] for k in nx.shortest_path(together, i, j)]))
        apart[unit_of[i], unit_of[j]] = apart[unit_of[j], unit_of[i]] = True
    problem = Problem(
        weights=between,
        sizes=in_unit.sum(axis=1),
        classes=in_unit @ counts,
        apart=apart,
        max_size=math.inf if max_size is None else float(max_size),
        max_classes=math.inf if max_classes is None else float(max_classes),
        min_groups=groups or 1,
        max_groups=groups or min(max_groups or len(members), len(members)),
        members=tuple(members),
    )
    _check_units(problem, tasks)
    _check_group_count(problem, tasks, "groups" if groups else "max_groups")
    return problem


def _is_integer(value: Any) -> bool:
    return not isinstance(value, bool) and hasattr(value, "__index__")


def _class_counts(tasks: Sequence[str], classes: Mapping[str, int] | None, max_classes: int | None) -> np.ndarray:
    """(T,) the number of classes of each task; zeros where it is not limited."""
    if max_classes is None:
        return np.zeros(len(tasks))
    if classes is None:
        raise GraphError(f"max_classes is {max_classes}, but the tasks' numbers of classes are not given (classes)")
    index_of(tasks, classes, "classes")
    for task in tasks:
        if task not in classes:
            raise GraphError(f"classes does not say how many classes '{task}' has")
        count = classes[task]
        if not _is_integer(count) or count < 0:
            raise GraphError(f"classes gives {count!r} for '{task}'; give a whole number")
        if count > max_classes:
            raise GraphError(
                f"'{task}' alone has {count} classes, but max_classes is {max_classes}; raise it or leave the task out"
            )
    return np.array([classes[task] for task in tasks], dtype=np.float64)


def _pairs(tasks: Sequence[str], links: Links, option: str) -> list[tuple[int, int]]:
    """All pairs of task indices within sets of tasks."""
    pairs = []
    for link in links:
        if isinstance(link, str):
            raise GraphError(f"{option} contains the single name '{link}'; give sets of at least two tasks")
        indices = index_of(tasks, link, option)
        if len(set(indices)) != len(indices) or len(indices) < 2:
            raise GraphError(f"{option} contains {list(link)}; give sets of at least two different tasks")
        pairs += [(i, j) for position, i in enumerate(indices) for j in indices[position + 1 :]]
    return pairs


def _contradiction(path: Sequence[str]) -> str:
    """The message for two tasks that must_link joins, directly or through others, and cannot_link keeps apart."""
    through = f" through {', '.join(map(repr, path[1:-1]))}" if len(path) > 2 else ""
    return f"must_link joins '{path[0]}' and '{path[-1]}'{through}, but cannot_link keeps them apart; drop one"


def _check_units(problem: Problem, tasks: Sequence[str]) -> None:
    """Refuses must-linked tasks that do not fit into any group."""
    for unit, size, classes in zip(problem.members, problem.sizes, problem.classes, strict=True):
        listed = ", ".join(f"'{tasks[i]}'" for i in unit[:6]) + (", ..." if len(unit) > 6 else "")
        if size > problem.max_size:
            raise GraphError(
                f"must_link joins {len(unit)} tasks ({listed}), but max_size is {problem.max_size:.0f}; change one"
            )
        if classes > problem.max_classes:
            raise GraphError(
                f"must_link joins {listed} with {classes:.0f} classes together, but max_classes is "
                f"{problem.max_classes:.0f}; change one"
            )


def _check_group_count(problem: Problem, tasks: Sequence[str], option: str) -> None:
    """Refuses a number of groups that counting alone shows to be impossible."""
    total, most = len(tasks), problem.max_groups
    if problem.min_groups > len(problem):
        units = "" if len(problem) == total else f", and must_link leaves {len(problem)} units to distribute"
        raise GraphError(f"groups is {problem.min_groups}, but there are {total} tasks{units}; ask for fewer groups")
    for amount, limit, noun, name in (
        (total, problem.max_size, "tasks", "max_size"),
        (problem.classes.sum(), problem.max_classes, "classes", "max_classes"),
    ):
        if amount > most * limit:
            raise GraphError(
                f"{amount:.0f} {noun} do not fit into {counted(most, 'group')} of at most {limit:.0f}; "
                f"raise {option} to {math.ceil(amount / limit)}, or {name}"
            )
    separate = largest_separated_set(problem.apart) if problem.apart.any() else []
    if len(separate) > most:
        listed = ", ".join(f"'{tasks[problem.members[unit][0]]}'" for unit in separate)
        raise GraphError(
            f"cannot_link keeps {listed} all apart, which takes {len(separate)} groups, but {option} is {most}; "
            "change one"
        )


def largest_separated_set(apart: np.ndarray) -> list[int]:
    """Units of which no two may share a group: the largest set, or, beyond 60 constrained units, a large one."""
    graph = nx.from_numpy_array(apart)
    graph.remove_nodes_from(list(nx.isolates(graph)))
    if len(graph) <= MAX_CLIQUE_SEARCH:
        return sorted(nx.max_weight_clique(graph, weight=None)[0])
    clique: list[int] = []
    for unit in sorted(graph, key=lambda unit: (-graph.degree(unit), unit)):
        if all(apart[unit, other] for other in clique):
            clique.append(unit)
    return sorted(clique)
