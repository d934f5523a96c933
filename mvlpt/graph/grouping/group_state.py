"""Groups under change: what every move would gain, kept up to date.

All sums are of whole numbers, so they stay exact however many moves they have seen. Shapes: B blocks, G places for
groups, some of them empty.
"""

from __future__ import annotations

import numpy as np

from mvlpt.graph.grouping.blocks import Problem


class GroupState:
    """A partition, and for each block and group the sum of their weights.

    Attributes:
        problem: what is to be solved.
        labels: (B,) the group of each block.
        sums: (B, G) the sum of the weights between a block and a group.
        foes: (B, G) how many blocks of a group may not be with a block.
        size, classes, members: (G,) tasks, classes and blocks of each group.
    """

    def __init__(self, problem: Problem, labels: np.ndarray) -> None:
        self.problem = problem
        self.labels = labels.astype(np.int64).copy()
        self._fill(int(self.labels.max()) + 2)

    def _fill(self, places: int) -> None:
        """Everything from the labels, with at least one empty place."""
        one_hot = np.zeros((len(self.problem), places))
        one_hot[np.arange(len(self.problem)), self.labels] = 1.0
        self.sums = np.asfortranarray(self.problem.weights @ one_hot)
        self.foes = np.asfortranarray(self.problem.apart.astype(np.float64) @ one_hot)
        self.size = self.problem.sizes @ one_hot
        self.classes = self.problem.classes @ one_hot
        self.members = one_hot.sum(axis=0)

    @property
    def number(self) -> int:
        """How many groups there are."""
        return int(np.count_nonzero(self.members))

    def empty(self) -> int:
        """An empty place, made if need be."""
        free = np.flatnonzero(self.members == 0)
        if not len(free):
            self._fill(2 * len(self.members))
            free = np.flatnonzero(self.members == 0)
        return int(free[0])

    def keep_vacant(self) -> None:
        """Makes sure that there is an empty place to move to."""
        self.empty()

    def attachment(self) -> np.ndarray:
        """(B,) the sum of the weights between each block and its own group."""
        return self.sums[np.arange(len(self.labels)), self.labels]

    def overfull(self, group: int) -> bool:
        """Whether a group holds too many tasks or classes."""
        return bool(self.size[group] > self.problem.max_size or self.classes[group] > self.problem.max_classes)

    def keeps(self, group: int) -> bool:
        """Whether a group keeps to the limits."""
        inside = self.labels == group
        return not self.overfull(group) and not self.foes[inside, group].any()

    def rooms(self, block: int) -> np.ndarray:
        """(G,) whether a group, an empty place too, would hold the block and keep to the limits."""
        fits = self.size + self.problem.sizes[block] <= self.problem.max_size
        fits &= self.classes + self.problem.classes[block] <= self.problem.max_classes
        return fits & (self.foes[block] == 0)

    def move(self, block: int, group: int) -> None:
        """Puts a block into a group."""
        own, problem = self.labels[block], self.problem
        for place, sign in ((own, -1.0), (group, 1.0)):
            self.sums[:, place] += sign * problem.weights[block]
            self.foes[:, place] += sign * problem.apart[block]
            self.size[place] += sign * problem.sizes[block]
            self.classes[place] += sign * problem.classes[block]
            self.members[place] += sign
        self.labels[block] = group

    def merge(self, group: int, other: int) -> None:
        """Puts all blocks of ``other`` into ``group``."""
        for array in (self.sums, self.foes):
            array[:, group] += array[:, other]
            array[:, other] = 0.0
        for array in (self.size, self.classes, self.members):
            array[group] += array[other]
            array[other] = 0.0
        self.labels[self.labels == other] = group

    def merge_gains(self) -> tuple[np.ndarray, np.ndarray]:
        """The groups there are, and what each pair of them gains by a merger; ``-inf`` where the limits forbid it."""
        groups = np.flatnonzero(self.members)
        inside = np.zeros((len(groups), len(self.labels)))
        inside[np.searchsorted(groups, self.labels), np.arange(len(self.labels))] = 1.0
        gains = inside @ self.sums[:, groups]
        size, classes = self.size[groups], self.classes[groups]
        barred = size[:, None] + size > self.problem.max_size
        barred |= classes[:, None] + classes > self.problem.max_classes
        barred |= inside @ self.foes[:, groups] > 0
        gains[barred | np.eye(len(groups), dtype=bool)] = -np.inf
        return groups, gains

    def best_merge(self) -> tuple[int, int] | None:
        """The two groups whose merger gains most, or loses least; ``None`` where none is allowed."""
        groups, gains = self.merge_gains()
        i, j = np.unravel_index(np.argmax(gains), gains.shape)
        return (int(groups[i]), int(groups[j])) if np.isfinite(gains[i, j]) else None
