"""The problem that every method solves: blocks of tasks that must stay together, and what a group of blocks may hold.

Tasks that ``must_link`` joins are one block from here on, so no method can part them. Shapes: T tasks, B blocks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import networkx as nx
import numpy as np

from mvlpt.errors import GraphError
from mvlpt.graph.grouping.constraints import Constraints, limit_or_inf
from mvlpt.graph.grouping.objective import whole_weights


@dataclass(frozen=True)
class Problem:
    """A partition to find: the largest sum of weights within groups that keep to the limits.

    Attributes:
        weights: (B, B) whole numbers in float64, symmetric, zeros on the diagonal.
        sizes: (B,) tasks of each block.
        classes: (B,) classes of each block; zeros where they are not limited.
        apart: (B, B) bool, symmetric: blocks that may not share a group.
        max_size, max_classes: limits of a group, possibly infinite.
        fewest, most: limits of the number of groups.
        members: the positions of each block's tasks.
    """

    weights: np.ndarray
    sizes: np.ndarray
    classes: np.ndarray
    apart: np.ndarray
    max_size: float
    max_classes: float
    fewest: int
    most: int
    members: tuple[tuple[int, ...], ...]

    def __len__(self) -> int:
        return len(self.members)

    @property
    def free(self) -> bool:
        """Whether any blocks may share a group, whatever its size."""
        return not self.apart.any() and math.isinf(self.max_size) and math.isinf(self.max_classes)

    def score(self, labels: np.ndarray) -> float:
        """The sum of the weights of all pairs of blocks with the same label, exact."""
        return float(self.weights[labels[:, None] == labels[None, :]].sum()) / 2

    def allows(self, labels: np.ndarray) -> bool:
        """Whether groups keep to every limit."""
        together = labels[:, None] == labels[None, :]
        number = len(np.unique(labels))
        return bool(
            self.fewest <= number <= self.most
            and not (self.apart & together).any()
            and (together @ self.sizes <= self.max_size).all()
            and (together @ self.classes <= self.max_classes).all()
        )

    def task_labels(self, labels: np.ndarray) -> np.ndarray:
        """(T,) the group of each task."""
        out = np.empty(sum(map(len, self.members)), dtype=np.int64)
        for label, block in zip(labels, self.members, strict=True):
            out[list(block)] = label
        return out


def numbered(labels: np.ndarray) -> np.ndarray:
    """Labels as 0, 1, ... in the order in which they first occur."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]


def build_problem(weights: np.ndarray, tasks: Sequence[str], constraints: Constraints) -> Problem:
    """Joins must-linked tasks into blocks and refuses limits that no partition can keep.

    Args:
        weights: (T, T) of :func:`~mvlpt.graph.grouping.objective.pair_weights`.
        tasks: T names, in the order in which ties are broken.
        constraints: the limits, in positions of ``tasks``.

    Raises:
        GraphError: a block is too large, the groups are too many or too few, or too many tasks must be apart.
    """
    linked = {place for block in constraints.must_link for place in block}
    members = sorted([*constraints.must_link, *((place,) for place in range(len(tasks)) if place not in linked)])
    block_of = {place: number for number, block in enumerate(members) for place in block}
    joined = np.zeros((len(members), len(tasks)))
    for number, block in enumerate(members):
        joined[number, list(block)] = 1.0
    between = joined @ whole_weights(weights) @ joined.T
    np.fill_diagonal(between, 0.0)
    apart = np.zeros(between.shape, dtype=bool)
    for i, j in constraints.cannot_link:
        apart[block_of[i], block_of[j]] = apart[block_of[j], block_of[i]] = True
    counts = np.array(constraints.classes if constraints.classes else [0] * len(tasks), dtype=np.float64)
    most = constraints.groups or min(constraints.max_groups or len(members), len(members))
    problem = Problem(
        weights=between,
        sizes=joined.sum(axis=1),
        classes=joined @ counts,
        apart=apart,
        max_size=limit_or_inf(constraints.max_size),
        max_classes=limit_or_inf(constraints.max_classes),
        fewest=constraints.groups or 1,
        most=most,
        members=tuple(members),
    )
    _check_blocks(problem, tasks)
    _check_number(problem, tasks, "groups" if constraints.groups else "max_groups")
    return problem


def _check_blocks(problem: Problem, tasks: Sequence[str]) -> None:
    """Refuses a must-linked block that no group may hold."""
    for block, size, classes in zip(problem.members, problem.sizes, problem.classes, strict=True):
        listed = ", ".join(f"'{tasks[place]}'" for place in block[:6]) + (", ..." if len(block) > 6 else "")
        if size > problem.max_size:
            raise GraphError(
                f"must_link joins {len(block)} tasks ({listed}), but max_size is {problem.max_size:.0f}; change one"
            )
        if classes > problem.max_classes:
            raise GraphError(
                f"must_link joins {listed} with {classes:.0f} classes together, but max_classes is "
                f"{problem.max_classes:.0f}; change one"
            )


def _check_number(problem: Problem, tasks: Sequence[str], name: str) -> None:
    """Refuses a number of groups that counting alone shows to be impossible."""
    total, most = len(tasks), problem.most
    if problem.fewest > len(problem):
        blocks = "" if len(problem) == total else f", which must_link makes {len(problem)} blocks"
        raise GraphError(f"groups is {problem.fewest}, but there are {total} tasks{blocks}; ask for fewer groups")
    if total > most * problem.max_size:
        raise GraphError(
            f"{total} tasks do not fit into {most} groups of at most {problem.max_size:.0f}; "
            f"raise {name} to {math.ceil(total / problem.max_size)}, or max_size"
        )
    classes = problem.classes.sum()
    if classes > most * problem.max_classes:
        raise GraphError(
            f"{classes:.0f} classes do not fit into {most} groups of at most {problem.max_classes:.0f}; "
            f"raise {name} to {math.ceil(classes / problem.max_classes)}, or max_classes"
        )
    crowd = largest_apart(problem.apart) if problem.apart.any() else []
    if len(crowd) > most:
        listed = ", ".join(f"'{tasks[problem.members[block][0]]}'" for block in crowd)
        raise GraphError(
            f"cannot_link keeps {listed} all apart, which takes {len(crowd)} groups, but {name} is {most}; change one"
        )


def largest_apart(apart: np.ndarray) -> list[int]:
    """Blocks of which no two may share a group: as many as there are, or, beyond 60 blocks, many."""
    graph = nx.from_numpy_array(apart)
    graph.remove_nodes_from(list(nx.isolates(graph)))
    if len(graph) <= 60:
        best = max(nx.find_cliques(graph), key=lambda clique: (len(clique), [-block for block in sorted(clique)]))
        return sorted(best)
    crowd: list[int] = []
    for block in sorted(graph, key=lambda block: (-graph.degree(block), block)):
        if all(apart[block, other] for other in crowd):
            crowd.append(block)
    return sorted(crowd)
