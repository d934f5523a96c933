"""The best partition as an integer program: clique partitioning (Grötschel and Wakabayashi, 1989), for many blocks.

A variable ``x_ij`` for each pair says whether the pair shares a group; ``x_ij + x_jk - x_ik <= 1`` makes it transitive.
There are ``B (B - 1) (B - 2) / 2`` such rows, so only those are added that a solution breaks: first for the linear
relaxation, whose optimum is often a partition already, then in branch and bound (HiGHS, by ``scipy.optimize.milp``).
The number of groups is counted by ``r_i``, which is 1 for the first block of each group.

Shapes: B blocks, V variables.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np

from mvlpt.graph.grouping.blocks import Problem, numbered

ROUNDS = 60  # of rows for the relaxation; branch and bound comes after that in any case
PER_ROUND = 4  # rows, in numbers of pairs, that are added at once: the most broken
BROKEN = 1e-6


@dataclass(frozen=True)
class Solved:
    """What branch and bound came to.

    Attributes:
        labels: (B,) the best partition, or ``None`` where none was found.
        bound: no partition is better than this; in the unit of the problem's weights.
        proved: whether ``labels``, or that there are none, is proved.
    """

    labels: np.ndarray | None
    bound: float
    proved: bool


class _Program:
    """Variables and rows of one problem; rows are lists of (column, factor) with lower and upper limits."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.size = len(problem)
        self.first, self.second = np.triu_indices(self.size, 1)
        self.pairs = len(self.first)
        self.place = np.zeros((self.size, self.size), dtype=np.int64)
        self.place[self.first, self.second] = self.place[self.second, self.first] = np.arange(self.pairs)
        self.counts = problem.fewest > 1 or problem.most < self.size
        self.columns = self.pairs + (self.size if self.counts else 0)
        self.scale = max(np.abs(problem.weights).max(), 1.0)
        self.rows: list[tuple[list[int], list[float], float, float]] = []
        self.seen: set[tuple[int, int, int]] = set()
        self._limit_groups()
        if self.counts:
            self._count_groups()

    def _limit_groups(self) -> None:
        """A block and all that share its group fit into a group."""
        for amounts, limit in (
            (self.problem.sizes, self.problem.max_size),
            (self.problem.classes, self.problem.max_classes),
        ):
            if math.isinf(limit) or amounts.sum() <= limit:
                continue
            for i in range(self.size):
                others = [j for j in range(self.size) if j != i]
                columns = [int(self.place[i, j]) for j in others]
                self.rows.append((columns, [float(amounts[j]) for j in others], -np.inf, float(limit - amounts[i])))

    def _count_groups(self) -> None:
        """``r_i`` is 1 where no earlier block shares the group of block i; their sum is the number of groups."""
        first = [self.pairs + i for i in range(self.size)]
        for i in range(self.size):
            earlier = [int(self.place[j, i]) for j in range(i)]
            self.rows += [([column, first[i]], [1.0, 1.0], -np.inf, 1.0) for column in earlier]
            self.rows.append(([*earlier, first[i]], [1.0] * (i + 1), 1.0, np.inf))
        self.rows.append((first, [1.0] * self.size, float(self.problem.fewest), float(self.problem.most)))

    def costs(self) -> np.ndarray:
        """(V,) what HiGHS makes as small as it can."""
        weights = self.problem.weights[self.first, self.second] / self.scale
        return np.concatenate([-weights, np.zeros(self.columns - self.pairs)])

    def upper(self) -> np.ndarray:
        """(V,) 0 for pairs that must be apart, else 1."""
        apart = self.problem.apart[self.first, self.second]
        return np.concatenate([np.where(apart, 0.0, 1.0), np.ones(self.columns - self.pairs)])

    def matrix(self):
        """The rows as scipy takes them: a sparse matrix and its limits, or nothing where there are no rows."""
        from scipy.sparse import csr_array

        ends = np.cumsum([0, *(len(row[0]) for row in self.rows)])
        columns = np.concatenate([row[0] for row in self.rows]) if self.rows else np.zeros(0, dtype=np.int64)
        factors = np.concatenate([row[1] for row in self.rows]) if self.rows else np.zeros(0)
        sparse = csr_array((factors, columns, ends), shape=(len(self.rows), self.columns))
        return sparse, np.array([row[2] for row in self.rows]), np.array([row[3] for row in self.rows])

    def square(self, values: np.ndarray) -> np.ndarray:
        """(B, B) the pairs' variables."""
        square = np.zeros((self.size, self.size))
        square[self.first, self.second] = square[self.second, self.first] = values[: self.pairs]
        return square

    def add_broken(self, values: np.ndarray) -> int:
        """Adds the rows of transitivity that a solution breaks most; how many there were."""
        square = self.square(values)
        found: list[tuple[float, tuple[int, int, int]]] = []
        for j in range(self.size):  # i - j - k in one group, but i and k are not
            excess = square[:, j, None] + square[None, j, :] - square - 1.0
            excess[j], excess[:, j] = -1.0, -1.0
            for i, k in np.argwhere(np.triu(excess, 1) > BROKEN):
                key = (int(i), j, int(k))
                if key not in self.seen:
                    found.append((-float(excess[i, k]), key))
        found.sort()
        for _, key in found[: PER_ROUND * self.pairs]:
            i, j, k = key
            self.seen.add(key)
            columns = [int(self.place[i, j]), int(self.place[j, k]), int(self.place[i, k])]
            self.rows.append((columns, [1.0, 1.0, -1.0], -np.inf, 1.0))
        return len(found)


def solve_program(problem: Problem, time_limit: float | None = None) -> Solved:
    """Solves the integer program.

    Args:
        problem: at least two blocks.
        time_limit: seconds after which to stop, give or take one step of HiGHS; ``None``: when it is proved.
    """
    ends = math.inf if time_limit is None else time.monotonic() + time_limit
    program = _Program(problem)
    relaxed, bound = _relax(program, ends)
    if relaxed is not None and np.abs(relaxed - np.rint(relaxed)).max() <= BROKEN and not program.add_broken(relaxed):
        labels = _components(program.square(relaxed))
        if problem.allows(labels):
            return Solved(labels, problem.score(labels), True)
    return _branch(program, bound, ends)


def _relax(program: _Program, ends: float) -> tuple[np.ndarray | None, float]:
    """The linear relaxation with the rows it breaks: its last solution and the best bound."""
    from scipy.optimize import linprog
    from scipy.sparse import vstack

    solution, bound = None, float(np.maximum(program.problem.weights, 0.0).sum() / 2)
    for _ in range(ROUNDS):
        left = ends - time.monotonic()
        if left <= 0:
            break
        rows, lower, upper = program.matrix()
        kept_up, kept_low = np.isfinite(upper), np.isfinite(lower)
        made = linprog(
            program.costs(),
            A_ub=vstack([rows[kept_up], -rows[kept_low]]) if len(upper) else None,
            b_ub=np.concatenate([upper[kept_up], -lower[kept_low]]) if len(upper) else None,
            bounds=np.stack([np.zeros(program.columns), program.upper()], axis=1),
            method="highs",
            options={} if math.isinf(left) else {"time_limit": left},
        )
        if made.status != 0:
            break
        solution, bound = made.x, min(bound, -made.fun * program.scale)
        if not program.add_broken(solution):
            break
    return solution, bound


def _branch(program: _Program, bound: float, ends: float) -> Solved:
    """Branch and bound, again and again until the solution is transitive."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    whole = np.concatenate([np.ones(program.pairs), np.zeros(program.columns - program.pairs)])
    best: np.ndarray | None = None
    while (left := ends - time.monotonic()) > 0:
        rows, lower, upper = program.matrix()
        options = {"mip_rel_gap": 0.0} | ({} if math.isinf(left) else {"time_limit": left})
        made = milp(
            program.costs(),
            integrality=whole,
            bounds=Bounds(0.0, program.upper()),
            constraints=LinearConstraint(rows, lower, upper) if len(lower) else None,
            options=options,
        )
        if made.status == 2:
            return Solved(None, -math.inf, True)
        if made.mip_dual_bound is not None and math.isfinite(made.mip_dual_bound):
            bound = min(bound, -made.mip_dual_bound * program.scale)
        if made.x is None:
            break
        broken = program.add_broken(np.rint(made.x))
        labels = _components(program.square(np.rint(made.x)))
        better = best is None or program.problem.score(labels) > program.problem.score(best)
        if program.problem.allows(labels) and better:
            best = labels
        if not broken and made.status == 0:
            return Solved(labels, program.problem.score(labels), True)
        if made.status != 0:
            break
    return Solved(best, bound, False)


def _components(square: np.ndarray) -> np.ndarray:
    """(B,) the connected components of the pairs that share a group."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    return numbered(connected_components(csr_array(square > 0.5), directed=False)[1])
