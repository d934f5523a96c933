"""The best partition, proved: by dynamic programming while its tables fit into memory, by an integer program beyond."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mvlpt.graph.grouping.heuristics import best_heuristic
from mvlpt.graph.grouping.local_search import improve, repair
from mvlpt.graph.grouping.milp import solve_milp
from mvlpt.graph.grouping.problem import Problem
from mvlpt.graph.grouping.subset_dp import MAX_UNITS, additions_needed, best_labels

QUICK = 1.2e9  # additions, about two seconds, that may be spent on the gap of a heuristic
TOLERANCE = 1e-6  # relative to the largest weight; HiGHS proves no closer


@dataclass(frozen=True)
class Solution:
    """The best partition found.

    Attributes:
        labels: (U,) groups that satisfy the limits.
        bound: no partition is better, in the unit of the problem's weights.
        proved: whether the labels reach the bound.
    """

    labels: np.ndarray
    bound: float
    proved: bool


def solve_exactly(problem: Problem, time_limit: float | None = None, seed: int = 0) -> Solution:
    """The best partition.

    Args:
        problem: the problem to solve.
        time_limit: seconds for the integer program, which more than
            :data:`~mvlpt.graph.grouping.subset_dp.MAX_UNITS` units need; then the solution is the best found, with a
            bound.
        seed: of the heuristics that the integer program is compared with.

    Raises:
        GraphError: no groups satisfy the limits.
    """
    if len(problem) <= MAX_UNITS:
        labels = best_labels(problem)
        labels = repair(problem, np.arange(len(problem))) if labels is None else labels  # raises, and explains why
        return Solution(labels, problem.score(labels), True)
    labels, _ = best_heuristic(problem, seed)
    result = solve_milp(problem, time_limit)
    if result.labels is not None:
        improved = improve(problem, result.labels)  # breaks by rule the ties that HiGHS leaves open
        labels = max(labels, improved, key=problem.score)
    score = problem.score(labels)
    missing = result.bound - score if math.isfinite(result.bound) else 0.0
    proved = result.proved or missing <= TOLERANCE * np.abs(problem.weights).max()
    return Solution(labels, score if proved else result.bound, bool(proved))


def quick_optimum(problem: Problem) -> np.ndarray | None:
    """(U,) the best partition if that takes seconds, else ``None``; the reference for the gap of a heuristic."""
    if len(problem) > MAX_UNITS or additions_needed(problem) > QUICK:
        return None
    return best_labels(problem)
