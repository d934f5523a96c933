"""The best partition, proved: by dynamic programming while its tables fit, by an integer program beyond."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mvlpt.graph.grouping import subset_dp
from mvlpt.graph.grouping.blocks import Problem
from mvlpt.graph.grouping.clique_program import solve_program
from mvlpt.graph.grouping.feasible import repair
from mvlpt.graph.grouping.heuristics import best_heuristic
from mvlpt.graph.grouping.local_search import improve

QUICK = 1.2e9  # sums of dynamic programming that a heuristic spends on learning its gap: some two seconds
TOLERANCE = 1e-6  # of the largest weight; HiGHS proves no closer


@dataclass(frozen=True)
class Best:
    """The best partition that was found.

    Attributes:
        labels: (B,) groups that keep to the limits.
        bound: no partition is better, in the unit of the problem's weights.
        proved: whether the labels are as good as the bound.
    """

    labels: np.ndarray
    bound: float
    proved: bool


def exact_labels(problem: Problem, time_limit: float | None = None, seed: int = 0) -> Best:
    """The best partition.

    Args:
        problem: what is to be solved.
        time_limit: seconds for the integer program, which problems of more than
            :data:`~mvlpt.graph.grouping.subset_dp.LARGEST` blocks need; then it gives the best it found, with a bound.
        seed: of the heuristics that the integer program is compared with.

    Raises:
        GraphError: no groups keep to the limits.
    """
    if len(problem) <= subset_dp.LARGEST:
        labels = subset_dp.best_labels(problem)
        labels = repair(problem, np.arange(len(problem))) if labels is None else labels  # tells why there are none
        return Best(labels, problem.score(labels), True)
    labels, _ = best_heuristic(problem, seed)
    solved = solve_program(problem, time_limit)
    if solved.labels is not None:
        better = improve(problem, solved.labels)  # ties that HiGHS leaves open end by rule
        labels = max(labels, better, key=problem.score)
    score = problem.score(labels)
    short = solved.bound - score if math.isfinite(solved.bound) else 0.0
    proved = solved.proved or short <= TOLERANCE * np.abs(problem.weights).max()
    return Best(labels, score if proved else solved.bound, bool(proved))


def quick_optimum(problem: Problem) -> np.ndarray | None:
    """The best partition where that takes seconds, else ``None``; what heuristics are measured against."""
    if len(problem) > subset_dp.LARGEST or subset_dp.sums_needed(problem) > QUICK:
        return None
    return subset_dp.best_labels(problem)
