"""Partitions that need not be the best: a start, brought within the limits, then improved by local search."""

from __future__ import annotations

import numpy as np

from mvlpt.graph.blocks import Problem
from mvlpt.graph.feasible import repair
from mvlpt.graph.local_search import improve
from mvlpt.graph.starts import STARTS

TRIED = ("agglomerative", "louvain", "spectral")  # by the best of heuristics, in this order


def heuristic_labels(problem: Problem, method: str, seed: int = 0) -> np.ndarray:
    """The groups of one heuristic.

    Args:
        problem: what is to be solved.
        method: a key of :data:`~mvlpt.graph.starts.STARTS`.
        seed: of its random numbers.

    Returns:
        (B,) labels that keep to the limits.

    Raises:
        GraphError: no groups keep to the limits, or none were found.
    """
    return improve(problem, repair(problem, STARTS[method](problem, seed)))


def best_heuristic(problem: Problem, seed: int = 0) -> tuple[np.ndarray, str]:
    """The best groups of several heuristics, and which one found them first.

    Raises:
        GraphError: no groups keep to the limits, or none were found.
    """
    found = [(heuristic_labels(problem, method, seed), method) for method in TRIED]
    scores = [problem.score(labels) for labels, _ in found]
    return found[int(np.argmax(scores))]
