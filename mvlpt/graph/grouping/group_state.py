"""A changing partition: the gain of every move, merger and swap, kept up to date.

All sums are of integers, so they stay exact after any number of moves. Shapes: U units, G slots for groups, at least
one of them empty.
"""

from __future__ import annotations

import numpy as np

from mvlpt.graph.grouping.problem import Problem


class GroupState:
    """A partition, and the sum of the weights between each unit and each group.

    Attributes:
        problem: the problem to solve.
        labels: (U,) the group of each unit.
        sums: (U, G) the sum of the weights between a unit and a group.
        conflicts: (U, G) how many units of a group may not share it with a unit.
        size: (G,) tasks in each group.
        classes: (G,) classes of each group.
        members: (G,) units in each group.
    """

    def __init__(self, problem: Problem, labels: np.ndarray) -> None:
        self.problem = problem
        self.labels = labels.astype(np.int64).copy()
        self._fill(int(self.labels.max()) + 2)

    def _fill(self, slots: int) -> None:
        """Computes everything from the labels."""
        one_hot = np.zeros((len(self.problem), slots))
        one_hot[np.arange(len(self.problem)), self.labels] = 1.0
        self.sums = np.asfortranarray(self.problem.weights @ one_hot)
        self.conflicts = np.asfortranarray(self.problem.apart.astype(np.float64) @ one_hot)
        self.size = self.problem.sizes @ one_hot
        self.classes = self.problem.classes @ one_hot
        self.members = one_hot.sum(axis=0)

    @property
    def count(self) -> int:
        """The number of groups."""
        return int(np.count_nonzero(self.members))

    def empty_slot(self) -> int:
        """The first empty slot."""
        return int(np.argmin(self.members))

    def attachment(self) -> np.ndarray:
        """(U,) the sum of the weights between each unit and its own group."""
        return self.sums[np.arange(len(self.labels)), self.labels]

    def is_overfull(self, group: int) -> bool:
        """Whether a group has too many tasks or classes."""
        return bool(self.size[group] > self.problem.max_size or self.classes[group] > self.problem.max_classes)

    def is_feasible(self, group: int) -> bool:
        """Whether a group satisfies the limits."""
        return not self.is_overfull(group) and not self.conflicts[self.labels == group, group].any()

    def fits(self, unit: int) -> np.ndarray:
        """(G,) whether the unit fits into each group, or each empty slot, within the limits."""
        fits = self.size + self.problem.sizes[unit] <= self.problem.max_size
        fits &= self.classes + self.problem.classes[unit] <= self.problem.max_classes
        return fits & (self.conflicts[unit] == 0)

    def move(self, unit: int, group: int) -> None:
        """Moves a unit to a group or an empty slot."""
        own, problem = self.labels[unit], self.problem
        for slot, sign in ((own, -1.0), (group, 1.0)):
            self.sums[:, slot] += sign * problem.weights[unit]
            self.conflicts[:, slot] += sign * problem.apart[unit]
            self.size[slot] += sign * problem.sizes[unit]
            self.classes[slot] += sign * problem.classes[unit]
            self.members[slot] += sign
        self.labels[unit] = group
        if self.members.all():
            self._fill(2 * len(self.members))

    def merge(self, group: int, other: int) -> None:
        """Moves all units of ``other`` to ``group``."""
        for array in (self.sums, self.conflicts):
            array[:, group] += array[:, other]
            array[:, other] = 0.0
        for array in (self.size, self.classes, self.members):
            array[group] += array[other]
            array[other] = 0.0
        self.labels[self.labels == other] = group

    def move_gains(self, unit: int) -> np.ndarray:
        """(G,) the gain of moving a unit to each group; ``-inf`` if it is not allowed."""
        own, problem = self.labels[unit], self.problem
        gains = np.where(self.fits(unit), self.sums[unit] - self.sums[unit, own], -np.inf)
        alone = self.members[own] == 1
        if alone or self.count >= problem.max_groups:
            gains[self.members == 0] = -np.inf
        if alone and self.count <= problem.min_groups:
            gains[:] = -np.inf
        gains[own] = -np.inf
        return gains

    def all_move_gains(self, free: np.ndarray) -> np.ndarray:
        """(U, G) the gain of every move of the units in ``free`` (U,); ``-inf`` if it is not allowed."""
        problem, labels = self.problem, self.labels
        gains = self.sums - self.attachment()[:, None]
        alone = self.members[labels] == 1
        empty = np.flatnonzero(self.members == 0)
        forbidden = self.conflicts > 0 if problem.apart.any() else np.zeros(gains.shape, dtype=bool)
        if np.isfinite(problem.max_size):
            forbidden |= self.size + problem.sizes[:, None] > problem.max_size
        if np.isfinite(problem.max_classes):
            forbidden |= self.classes + problem.classes[:, None] > problem.max_classes
        forbidden[np.arange(len(labels)), labels] = True
        forbidden[~free] = True
        forbidden[:, empty[1:]] = True  # one empty slot is enough
        forbidden[np.ix_(alone, empty)] = True
        if self.count >= problem.max_groups:
            forbidden[:, empty] = True
        if self.count <= problem.min_groups:
            forbidden[alone] = True
        gains[forbidden] = -np.inf
        return gains

    def swap_gains(self, unit: int) -> np.ndarray:
        """(U,) the gain of swapping a unit with each other one; ``-inf`` if it is not allowed."""
        problem, labels, own = self.problem, self.labels, self.labels[unit]
        gains = self.sums[unit, labels] - self.sums[unit, own]
        gains = gains + self.sums[:, own] - self.attachment() - 2 * problem.weights[unit]
        forbidden = labels == own
        for amounts, used, limit in (
            (problem.sizes, self.size, problem.max_size),
            (problem.classes, self.classes, problem.max_classes),
        ):
            forbidden |= used[labels] - amounts + amounts[unit] > limit
            forbidden |= used[own] - amounts[unit] + amounts > limit
        forbidden |= self.conflicts[unit, labels] - problem.apart[unit] > 0
        forbidden |= self.conflicts[:, own] - problem.apart[unit] > 0
        gains[forbidden] = -np.inf
        return gains

    def best_merger(self) -> tuple[float, int, int]:
        """The gain of the best merger, ``-inf`` if none is allowed, and its two groups."""
        groups = np.flatnonzero(self.members)
        inside = np.zeros((len(groups), len(self.labels)))
        inside[np.searchsorted(groups, self.labels), np.arange(len(self.labels))] = 1.0
        gains = inside @ self.sums[:, groups]
        size, classes = self.size[groups], self.classes[groups]
        forbidden = size[:, None] + size > self.problem.max_size
        forbidden |= classes[:, None] + classes > self.problem.max_classes
        forbidden |= inside @ self.conflicts[:, groups] > 0
        gains[forbidden | np.eye(len(groups), dtype=bool)] = -np.inf
        i, j = np.unravel_index(np.argmax(gains), gains.shape)
        return float(gains[i, j]), int(groups[i]), int(groups[j])
