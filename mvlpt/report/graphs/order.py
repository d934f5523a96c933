"""The order in which a picture shows tasks: group by group, likes beside likes, with the tree that says so.

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
        height: the distance at which its two parts meet; 0 for a leaf.
        parts: two branches, or none for a leaf.
        group: the group that holds all its tasks, ``""`` above groups.
    """

    tasks: tuple[str, ...]
    height: float = 0.0
    parts: tuple[Branch, ...] = ()
    group: str = ""


def grouped_tree(matrix: np.ndarray, tasks: Sequence[str], groups: Mapping[str, Sequence[str]]) -> Branch:
    """Average-linkage clustering that never splits a group: within each group first, then of the groups.

    The distance of two tasks is the largest similarity minus theirs (both directions averaged); that of two groups is
    the mean over their pairs. Where groups meet closer than tasks inside one of them, the tree is raised to that
    height, so that it can be drawn. Missing values count as the mean of the others.

    Args:
        matrix: (T, T) similarity or affinity; nan where unknown.
        tasks: its rows.
        groups: name to tasks; every task once.
    """
    distance = distances(matrix)
    place = {task: index for index, task in enumerate(tasks)}
    branches = []
    for name, members in groups.items():
        ordered = sorted(members)
        leaves = [Branch((task,), group=name) for task in ordered]
        rows = [place[task] for task in ordered]
        branches.append(_cluster(leaves, distance[np.ix_(rows, rows)], name))
    between = np.zeros((len(branches), len(branches)))
    for a, first in enumerate(branches):
        for b, second in enumerate(branches):
            if a != b:
                rows, columns = ([place[task] for task in branch.tasks] for branch in (first, second))
                between[a, b] = distance[np.ix_(rows, columns)].mean()
    return _cluster(branches, (between + between.T) / 2, "")


def distances(matrix: np.ndarray) -> np.ndarray:
    """(T, T), symmetric, 0 on the diagonal, above 0 elsewhere, so that every join of a tree can be seen."""
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
    """Joins branches two by two, the nearest first; the leaves are turned so that neighbours are alike."""
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
