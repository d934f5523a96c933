"""Integer programs over pairs of units and over units and groups, solved by HiGHS (``scipy.optimize.milp``).

:func:`solve_milp` finds the best partition by clique partitioning (Grötschel and Wakabayashi, 1989), for more units
than dynamic programming can handle. A variable ``x_ij`` says whether a pair shares a group; the rows
``x_ij + x_jk - x_ik <= 1`` make this transitive. There are ``U (U - 1) (U - 2) / 2`` such rows, so only those that a
solution violates are added: first to the linear relaxation, whose optimum is often a partition already, then in branch
and bound. Groups are counted by ``r_i``, which is 1 for the first unit of each group.

:func:`feasible_groups` finds any groups that satisfy the limits, whatever their value.

Shapes: U units, V variables, G groups.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from mvlpt.errors import GraphError
from mvlpt.graph.grouping.problem import Problem, renumber

ROUNDS = 60  # of rows added to the relaxation, before branch and bound takes over
PER_ROUND = 4  # rows added in one round, as a multiple of the number of pairs: the most violated ones
VIOLATED = 1e-6
PACKING_UNLIMITED = 400  # pairs of a unit and a group up to which packing has no time limit
PACKING_SECONDS = 20.0


@dataclass(frozen=True)
class MilpResult:
    """The outcome of branch and bound.

    Attributes:
        labels: (U,) the best partition, or ``None`` if none was found.
        bound: no partition is better, in the unit of the problem's weights.
        proved: whether the labels, or their absence, are proved.
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
        self.column = np.zeros((self.size, self.size), dtype=np.int64)
        self.column[self.first, self.second] = self.column[self.second, self.first] = np.arange(self.pairs)
        self.columns = self.pairs + (0 if problem.count_is_free else self.size)
        self.scale = max(np.abs(problem.weights).max(), 1.0)
        self.rows: list[tuple[list[int], list[float], float, float]] = []
        self.seen: set[tuple[int, int, int]] = set()
        self._limit_groups()
        if not problem.count_is_free:
            self._count_groups()

    def _limit_groups(self) -> None:
        """A unit and all that share its group fit into a group."""
        for amounts, limit in _amounts(self.problem):
            if amounts.sum() <= limit:
                continue
            for i in range(self.size):
                others = [j for j in range(self.size) if j != i]
                columns = [int(self.column[i, j]) for j in others]
                self.rows.append((columns, [float(amounts[j]) for j in others], -np.inf, float(limit - amounts[i])))

    def _count_groups(self) -> None:
        """``r_i`` is 1 if no earlier unit shares the group of unit i; their sum is the number of groups."""
        first = [self.pairs + i for i in range(self.size)]
        for i in range(self.size):
            earlier = [int(self.column[j, i]) for j in range(i)]
            self.rows += [([column, first[i]], [1.0, 1.0], -np.inf, 1.0) for column in earlier]
            self.rows.append(([*earlier, first[i]], [1.0] * (i + 1), 1.0, np.inf))
        limits = float(self.problem.min_groups), float(self.problem.max_groups)
        self.rows.append((first, [1.0] * self.size, *limits))

    def costs(self) -> np.ndarray:
        """(V,) the coefficients that HiGHS minimises."""
        weights = self.problem.weights[self.first, self.second] / self.scale
        return np.concatenate([-weights, np.zeros(self.columns - self.pairs)])

    def upper(self) -> np.ndarray:
        """(V,) 0 for pairs that must be apart, else 1."""
        apart = self.problem.apart[self.first, self.second]
        return np.concatenate([np.where(apart, 0.0, 1.0), np.ones(self.columns - self.pairs)])

    def matrix(self) -> tuple[Any, np.ndarray, np.ndarray]:
        """The rows as a sparse matrix with its lower and upper limits."""
        from scipy.sparse import csr_array

        ends = np.cumsum([0, *(len(row[0]) for row in self.rows)])
        columns = np.concatenate([row[0] for row in self.rows]) if self.rows else np.zeros(0, dtype=np.int64)
        factors = np.concatenate([row[1] for row in self.rows]) if self.rows else np.zeros(0)
        sparse = csr_array((factors, columns, ends), shape=(len(self.rows), self.columns))
        return sparse, np.array([row[2] for row in self.rows]), np.array([row[3] for row in self.rows])

    def square(self, values: np.ndarray) -> np.ndarray:
        """(U, U) the pairs' variables."""
        square = np.zeros((self.size, self.size))
        square[self.first, self.second] = square[self.second, self.first] = values[: self.pairs]
        return square

    def labels(self, values: np.ndarray) -> np.ndarray:
        """(U,) the connected components of the pairs that share a group."""
        from scipy.sparse import csr_array
        from scipy.sparse.csgraph import connected_components

        return renumber(connected_components(csr_array(self.square(values) > 0.5), directed=False)[1])

    def add_violated(self, values: np.ndarray) -> int:
        """Adds the transitivity rows that a solution violates most; returns how many it violates."""
        square = self.square(values)
        found: list[tuple[float, tuple[int, int, int]]] = []
        for j in range(self.size):  # i and k share a group with j, but not with each other
            excess = square[:, j, None] + square[None, j, :] - square - 1.0
            excess[j], excess[:, j] = -1.0, -1.0
            for i, k in np.argwhere(np.triu(excess, 1) > VIOLATED):
                key = (int(i), j, int(k))
                if key not in self.seen:
                    found.append((-float(excess[i, k]), key))
        found.sort()
        for _, key in found[: PER_ROUND * self.pairs]:
            i, j, k = key
            self.seen.add(key)
            columns = [int(self.column[i, j]), int(self.column[j, k]), int(self.column[i, k])]
            self.rows.append((columns, [1.0, 1.0, -1.0], -np.inf, 1.0))
        return len(found)


def solve_milp(problem: Problem, time_limit: float | None = None) -> MilpResult:
    """The best partition by branch and bound.

    Args:
        problem: at least two units.
        time_limit: seconds, up to one step of HiGHS more; ``None``: until the result is proved.
    """
    deadline = math.inf if time_limit is None else time.monotonic() + time_limit
    program = _Program(problem)
    relaxed, bound = _relax(program, deadline)
    integral = relaxed is not None and np.abs(relaxed - np.rint(relaxed)).max() <= VIOLATED
    if integral and not program.add_violated(relaxed):
        labels = program.labels(relaxed)
        if problem.is_feasible(labels):
            return MilpResult(labels, problem.score(labels), True)
    return _branch(program, bound, deadline)


def _relax(program: _Program, deadline: float) -> tuple[np.ndarray | None, float]:
    """The linear relaxation with the rows it violates: its last solution and the best bound."""
    from scipy.optimize import linprog
    from scipy.sparse import vstack

    solution, bound = None, float(np.maximum(program.problem.weights, 0.0).sum() / 2)
    for _ in range(ROUNDS):
        left = deadline - time.monotonic()
        if left <= 0:
            break
        rows, lower, upper = program.matrix()
        has_upper, has_lower = np.isfinite(upper), np.isfinite(lower)
        result = linprog(
            program.costs(),
            A_ub=vstack([rows[has_upper], -rows[has_lower]]) if len(upper) else None,
            b_ub=np.concatenate([upper[has_upper], -lower[has_lower]]) if len(upper) else None,
            bounds=np.stack([np.zeros(program.columns), program.upper()], axis=1),
            method="highs",
            options={} if math.isinf(left) else {"time_limit": left},
        )
        if result.status != 0:
            break
        solution, bound = result.x, min(bound, -result.fun * program.scale)
        if not program.add_violated(solution):
            break
    return solution, bound


def _branch(program: _Program, bound: float, deadline: float) -> MilpResult:
    """Branch and bound, repeated with more rows until the solution is transitive."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    problem = program.problem
    integrality = np.concatenate([np.ones(program.pairs), np.zeros(program.columns - program.pairs)])
    best: np.ndarray | None = None
    while (left := deadline - time.monotonic()) > 0:
        rows, lower, upper = program.matrix()
        result = milp(
            program.costs(),
            integrality=integrality,
            bounds=Bounds(0.0, program.upper()),
            constraints=LinearConstraint(rows, lower, upper) if len(lower) else None,
            options={"mip_rel_gap": 0.0} | ({} if math.isinf(left) else {"time_limit": left}),
        )
        if result.status == 2:
            return MilpResult(None, -math.inf, True)
        if result.mip_dual_bound is not None and math.isfinite(result.mip_dual_bound):
            bound = min(bound, -result.mip_dual_bound * program.scale)
        if result.x is None:
            break
        violated = program.add_violated(np.rint(result.x))
        labels = program.labels(np.rint(result.x))
        if problem.is_feasible(labels) and (best is None or problem.score(labels) > problem.score(best)):
            best = labels
        if not violated and result.status == 0:
            return MilpResult(labels, problem.score(labels), True)
        if result.status != 0:
            break
    return MilpResult(best, bound, False)


def feasible_groups(problem: Problem) -> np.ndarray:
    """(U,) any groups that satisfy the limits, at most ``max_groups``: by first fit, or else by an integer program.

    Raises:
        GraphError: no groups satisfy all limits together, or none were found in time.
    """
    labels = _first_fit(problem)
    return _pack(problem) if labels is None else labels


def _first_fit(problem: Problem) -> np.ndarray | None:
    """Places the unit with the fewest open groups, then the largest, into the fullest of these groups (DSATUR)."""
    count, most = len(problem), problem.max_groups
    labels = np.full(count, -1)
    size, classes = np.zeros(most), np.zeros(most)
    conflicts = np.zeros((count, most), dtype=bool)
    for _ in range(count):
        fits = ~conflicts & (size + problem.sizes[:, None] <= problem.max_size)
        fits &= classes + problem.classes[:, None] <= problem.max_classes
        keys = np.lexsort((-problem.apart.sum(axis=1), -problem.sizes, -problem.classes, fits.sum(axis=1)))
        unit = next(int(key) for key in keys if labels[key] < 0)
        if not fits[unit].any():
            return None
        target = int(np.argmax(np.where(fits[unit], size + classes / max(classes.sum(), 1.0), -1.0)))
        labels[unit] = target
        size[target] += problem.sizes[unit]
        classes[target] += problem.classes[unit]
        conflicts[problem.apart[unit], target] = True
    return labels


def _pack(problem: Problem) -> np.ndarray:
    """Groups from an integer program with a variable for each unit and group: the unit is in the group."""
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import block_array, csr_array, eye_array, kron

    count, most = len(problem), problem.max_groups
    rows = [kron(eye_array(count), csr_array(np.ones((1, most))))]
    lower, upper = [np.ones(count)], [np.ones(count)]
    for amounts, limit in _amounts(problem):
        rows.append(kron(csr_array(amounts[None, :]), eye_array(most)))
        lower.append(np.full(most, -np.inf))
        upper.append(np.full(most, limit))
    first, second = np.nonzero(np.triu(problem.apart))
    if len(first):
        pairs = np.zeros((len(first), count))
        pairs[np.arange(len(first)), first] = pairs[np.arange(len(first)), second] = 1.0
        rows.append(kron(csr_array(pairs), eye_array(most)))
        lower.append(np.full(len(first) * most, -np.inf))
        upper.append(np.ones(len(first) * most))
    possible = np.ones((count, most))  # groups are interchangeable: unit u need not use a group beyond u
    possible[np.triu_indices(count, 1, most)] = 0.0
    result = milp(
        np.zeros(count * most),
        integrality=np.ones(count * most),
        bounds=Bounds(0.0, possible.ravel()),
        constraints=LinearConstraint(
            block_array([[row] for row in rows]).tocsr(), np.concatenate(lower), np.concatenate(upper)
        ),
        options={} if count * most <= PACKING_UNLIMITED else {"time_limit": PACKING_SECONDS},
    )
    limits = _describe_limits(problem)
    if result.status == 2:
        raise GraphError(f"{limits} cannot be satisfied together by {most} groups; allow more groups, or relax one")
    if result.x is None:
        raise GraphError(f"No {most} groups were found that satisfy {limits}; allow more groups, or relax one")
    return result.x.reshape(count, most).argmax(axis=1)


def _amounts(problem: Problem) -> list[tuple[np.ndarray, float]]:
    """(U,) what each unit adds to its group, and the limit, for each finite limit."""
    amounts = [(problem.sizes, problem.max_size), (problem.classes, problem.max_classes)]
    return [(amount, limit) for amount, limit in amounts if math.isfinite(limit)]


def _describe_limits(problem: Problem) -> str:
    """The limits in force, for a message."""
    limits = ["must_link"] if any(len(unit) > 1 for unit in problem.members) else []
    limits += ["cannot_link"] if problem.apart.any() else []
    limits += [f"max_size {problem.max_size:.0f}"] if np.isfinite(problem.max_size) else []
    limits += [f"max_classes {problem.max_classes:.0f}"] if np.isfinite(problem.max_classes) else []
    return " and ".join([", ".join(limits[:-1]), limits[-1]] if len(limits) > 1 else limits)
