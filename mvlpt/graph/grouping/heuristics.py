"""Partitions that need not be the best: a start, brought within the limits, then improved by local search."""

from __future__ import annotations

import numpy as np

from mvlpt.graph.grouping.blocks import Problem
from mvlpt.graph.grouping.feasible import repair
from mvlpt.graph.grouping.local_search import improve
from mvlpt.graph.grouping.shaking import shake
from mvlpt.graph.grouping.starts import STARTS

TRIED = ("agglomerative", "louvain", "spectral", "greedy")  # by the best of heuristics, in this order
SLOW, LARGE = "greedy", 400  # left out where there are more blocks than this


def heuristic_labels(problem: Problem, method: str, seed: int = 0) -> np.ndarray:
    """The groups of one heuristic.

    Args:
        problem: what is to be solved.
        method: a key of :data:`~mvlpt.graph.grouping.starts.STARTS`.
        seed: of its random numbers.

    Returns:
        (B,) labels that keep to the limits.

    Raises:
        GraphError: no groups keep to the limits, or none were found.
    """
    return improve(problem, repair(problem, STARTS[method](problem, seed)))


def best_heuristic(problem: Problem, seed: int = 0) -> tuple[np.ndarray, str]:
    """The best groups of several heuristics, improved once more by iterated local search, and the heuristic's name.

    Raises:
        GraphError: no groups keep to the limits, or none were found.
    """
    methods = [method for method in TRIED if method != SLOW or len(problem) <= LARGE]
    found = [heuristic_labels(problem, method, seed) for method in methods]
    place = int(np.argmax([problem.score(labels) for labels in found]))
    return shake(problem, found[place], seed), methods[place]
