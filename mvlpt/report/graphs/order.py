"""The order of tasks in a figure: by group, similar tasks next to each other, with the dendrogram behind it.

Shapes: T tasks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Branch:
    """A node of a dendrogram.

    Attributes:
        tasks: the leaves below, from top to bottom.
        height: the distance at which its two parts are joined; 0 for a leaf.
        parts: two branches, or none for a leaf.
        group: the group that contains all its tasks, ``""`` above groups.
    """

    tasks: tuple[str, ...]
    height: float = 0.0
    parts: tuple[Branch, ...] = ()
    group: str = ""


def grouped_tree(matrix: np.ndarray, tasks: Sequence[str], groups: Mapping[str, Sequence[str]]) -> Branch:
    """Average-linkage clustering that never splits a group: first within each group, then of the groups.

    The distance of two tasks is the largest similarity minus theirs (both directions averaged); that of two groups is
    the mean over their pairs. A join is never drawn below its parts, even if two groups are closer than the tasks
    within one. Missing values count as the mean of the others.

    Args:
        matrix: (T, T) similarity or affinity; NaN where unknown.
        tasks: names of the rows.
        groups: name to tasks; every task exactly once.
    """
    distance = distances(matrix)
    index = {task: row for row, task in enumerate(tasks)}
    branches = []
    for name, members in groups.items():
        ordered = sorted(members)
        leaves = [Branch((task,), group=name) for task in ordered]
        rows = [index[task] for task in ordered]
        branches.append(_cluster(leaves, distance[np.ix_(rows, rows)], name))
    between = np.zeros((len(branches), len(branches)))
    for a, first in enumerate(branches):
        for b, second in enumerate(branches):
            if a != b:
                rows, columns = ([index[task] for task in branch.tasks] for branch in (first, second))
                between[a, b] = distance[np.ix_(rows, columns)].mean()
    return _cluster(branches, (between + between.T) / 2, "")


def distances(matrix: np.ndarray) -> np.ndarray:
    """(T, T) symmetric distances, 0 on the diagonal and above 0 elsewhere, so that every join is visible."""
    both = np.where(np.isnan(matrix), matrix.T, matrix)
    both = (both + both.T) / 2
    off = ~np.eye(len(both), dtype=bool)
    known = both[off & ~np.isnan(both)]
    both = np.where(np.isnan(both), known.mean() if len(known) else 0.0, both)
    low, high = (both[off].min(), both[off].max()) if off.any() else (0.0, 0.0)
    distance = high - both + (0.08 * (high - low) or 1.0)
    np.fill_diagonal(distance, 0.0)
    return distance


def _cluster(items: Sequence[Branch], distance: np.ndarray, group: str) -> Branch:
    """Joins branches pairwise, the nearest first, and orders the leaves so that neighbours are similar."""
    if len(items) == 1:
        return items[0]
    from scipy.cluster.hierarchy import linkage
    from scipy.spatial.distance import squareform

    nodes = list(items)
    for a, b, height, _ in linkage(squareform(distance, checks=False), "average", optimal_ordering=len(items) < 500):
        parts = (nodes[int(a)], nodes[int(b)])
        top = max(float(height), *(part.height for part in parts))
        nodes.append(Branch(parts[0].tasks + parts[1].tasks, top, parts, group))
    return nodes[-1]
