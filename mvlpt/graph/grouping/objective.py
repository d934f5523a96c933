"""The objective of a partition: the sum of (value - threshold) over all pairs of tasks that share a group.

``docs/grouping.md`` explains the choice and the threshold. Shapes: T tasks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np

from mvlpt.errors import GraphError, suggest
from mvlpt.graph.checks import TOLERANCE, check_matrix, check_symmetric

KINDS = ("similarity", "affinity")
BITS = 46  # the sum of all integer weights stays below 2 ** BITS: sums are exact, and six bits are left for ties
NEGLIGIBLE = 1e-12  # relative to the largest value: the rounding left when a value equals the threshold


def kind_of(matrix: np.ndarray) -> str:
    """``similarity`` if both triangles of a matrix agree up to rounding, else ``affinity``."""
    off = matrix - np.diag(np.diagonal(matrix))
    return "similarity" if np.abs(off - off.T).max() <= TOLERANCE * np.abs(off).max() else "affinity"


def pair_weights(
    matrix: Any, tasks: Sequence[str], kind: str | None = None, threshold: float | None = None
) -> tuple[np.ndarray, float, str]:
    """What each pair of tasks adds to the objective if it shares a group.

    Args:
        matrix: (T, T) a symmetric similarity, or a directed affinity whose two directions are averaged.
        tasks: names of the rows.
        kind: ``similarity`` or ``affinity``; ``None``: decided by whether the matrix is symmetric.
        threshold: the value above which a pair should share a group; ``None``: the mean over all pairs for a
            similarity, 0 for an affinity.

    Returns:
        (T, T) ``s_ij - threshold``, symmetric, zeros on the diagonal; the threshold; the kind.

    Raises:
        GraphError: the matrix, the kind or the threshold cannot be used.
    """
    if kind is not None and kind not in KINDS:
        raise GraphError(f"A matrix of kind '{kind}' is unknown{suggest(str(kind), KINDS)}")
    values = check_matrix(matrix, tasks)
    kind = kind or kind_of(values)
    values = check_symmetric(values, tasks, name="similarity") if kind == "similarity" else (values + values.T) / 2
    np.fill_diagonal(values, 0.0)
    pairs = values[np.triu_indices(len(values), 1)]
    check_threshold(threshold)
    if threshold is None:
        threshold = math.fsum(pairs) / len(pairs) if kind == "similarity" and len(pairs) else 0.0
    threshold = float(threshold)
    weights = values - threshold
    weights[np.abs(weights) <= NEGLIGIBLE * max(abs(threshold), np.abs(values).max())] = 0.0
    np.fill_diagonal(weights, 0.0)
    return weights, threshold, kind


def check_threshold(threshold: float | None) -> None:
    """Checks a threshold.

    Raises:
        GraphError: it is not a finite number.
    """
    number = isinstance(threshold, Real) and not isinstance(threshold, bool)
    if threshold is not None and not (number and math.isfinite(threshold)):
        raise GraphError(f"The threshold is {threshold!r}; give a number, or leave it out")


def integer_weights(weights: np.ndarray) -> np.ndarray:
    """Weights scaled to integers (in float64).

    Their sums are exact, independent of the order of summation, the library and its threads. So equally good partitions
    compare as equal, and a rule can choose between them.
    """
    total = math.fsum(np.abs(weights).ravel())
    if total == 0.0:
        return np.zeros_like(weights)
    return np.rint(np.ldexp(weights, _exponent(total)))


def integer_unit(weights: np.ndarray) -> float:
    """The weight that corresponds to 1 in :func:`integer_weights`."""
    total = math.fsum(np.abs(weights).ravel())
    return math.ldexp(1.0, -_exponent(total)) if total else 1.0


def _exponent(total: float) -> int:
    return BITS - math.frexp(total)[1]


def partition_score(weights: np.ndarray, labels: np.ndarray) -> float:
    """The objective: the sum of ``weights`` over all pairs with the same label.

    Args:
        weights: (T, T) symmetric.
        labels: (T,) the group of each task.
    """
    together = labels[:, None] == labels[None, :]
    return math.fsum(weights[np.triu(together, 1)])


def within_between_means(
    matrix: np.ndarray, tasks: Sequence[str], groups: Sequence[Sequence[str]]
) -> list[tuple[float, float]]:
    """For each group the mean over pairs inside it and over pairs that leave it.

    Args:
        matrix: (T, T), both directions of a pair are averaged.
        tasks: names of the rows.
        groups: task names; groups may overlap.

    Returns:
        (within, between) for each group; NaN where there is no such pair.
    """
    index = {task: row for row, task in enumerate(tasks)}
    means = []
    for group in groups:
        inside = np.zeros(len(index), dtype=bool)
        inside[[index[task] for task in group]] = True
        within = matrix[np.ix_(inside, inside)][~np.eye(inside.sum(), dtype=bool)]
        between = np.concatenate([matrix[np.ix_(inside, ~inside)].ravel(), matrix[np.ix_(~inside, inside)].ravel()])
        means.append(tuple(float(part.mean()) if part.size else math.nan for part in (within, between)))
    return means
