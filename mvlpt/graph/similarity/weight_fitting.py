"""Weights under which the similarities agree best with measured transfer.

Shapes: T tasks, M similarities, n measured pairs of tasks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mvlpt.errors import GraphError
from mvlpt.graph.checks import check_matrix, check_similarity
from mvlpt.graph.similarity.weighting import min_max_scale

MIN_PAIRS = 3  # fewer ranks carry no information
STEPS = (0.5, 0.25, 0.125, 0.0625, 0.03125)


@dataclass(frozen=True)
class FittedWeights:
    """The result of :func:`fit_weights`.

    Attributes:
        weights: name to weight, with sum 1; for ``combine(..., rescale=True)``.
        correlation: Spearman's rho with the measured gains over the fitted pairs.
        equal: the same with equal weights.
        held_out: mean over tasks of ``by_task``; ``None`` if too few pairs were measured.
        by_task: for each task, rho over the pairs with this task, under weights fitted to the pairs without it.
        pairs: n, the number of ordered pairs that were measured.
    """

    weights: Mapping[str, float]
    correlation: float
    equal: float
    held_out: float | None
    by_task: Mapping[str, float]
    pairs: int


def fit_weights(matrices: Mapping[str, np.ndarray], measured: Any, tasks: Sequence[str] | None = None) -> FittedWeights:
    """Finds the weights under which the mean of the rescaled similarities ranks pairs most like the measured gains.

    Spearman's rank correlation is maximised over weights of at least 0 with sum 1. It is a step function, so the search
    compares values only: it starts at equal weights and at the best single similarity, shifts weight from one
    similarity to another in steps from 1/2 down to 1/32, and accepts a shift only if the correlation grows. So the
    weights stay equal unless the measurements favour others. The search is deterministic. With few tasks the fit is
    uncertain: ``held_out`` leaves out each task in turn.

    Args:
        matrices: name to (T, T) similarity, M of them.
        measured: (T, T) gains, ``[i, j]`` how much training on i helped j; NaN where unmeasured. The diagonal is
            ignored.
        tasks: the names for ``by_task``; ``0``, ``1``, ... by default.

    Raises:
        GraphError: no similarity, sizes that differ, a matrix that is not a similarity, fewer than three measured
            pairs, or gains that are all equal.
    """
    if not matrices:
        raise GraphError("There is no similarity to weight; give at least one matrix")
    names = sorted(matrices)
    size = len(matrices[names[0]]) if tasks is None else len(tasks)
    scaled = [min_max_scale(check_similarity(matrices[name], size, name=f"similarity '{name}'")) for name in names]
    labels = [str(i) for i in range(size)] if tasks is None else list(tasks)
    rows, columns, values = measured_pairs(measured, labels)
    stack = np.stack([matrix[rows, columns] for matrix in scaled])  # (M, n)
    best = _search(stack, values)
    by_task = {}
    for index, task in enumerate(labels):
        inside = (rows == index) | (columns == index)
        if min(inside.sum(), (~inside).sum()) < MIN_PAIRS or np.ptp(values[~inside]) == 0:
            continue
        weights = _search(stack[:, ~inside], values[~inside])
        if np.ptp(values[inside]) > 0:
            by_task[task] = spearman(weights @ stack[:, inside], values[inside])
    return FittedWeights(
        weights=dict(zip(names, best.tolist(), strict=True)),
        correlation=spearman(best @ stack, values),
        equal=spearman(stack.mean(axis=0), values),
        held_out=float(np.mean(list(by_task.values()))) if by_task else None,
        by_task=by_task,
        pairs=len(values),
    )


def measured_pairs(measured: Any, tasks: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The measured pairs: (n,) rows, (n,) columns and (n,) gains.

    Args:
        measured: (T, T) gains, NaN where unmeasured.
        tasks: their names.

    Raises:
        GraphError: fewer than three measured pairs, or gains that are all equal.
    """
    gains = check_matrix(measured, tasks, name="table of measured gains", missing=True)
    rows, columns = np.nonzero(~np.isnan(gains) & ~np.eye(len(gains), dtype=bool))
    values = gains[rows, columns]
    if len(values) < MIN_PAIRS:
        raise GraphError(f"{len(values)} pairs of tasks were measured; weights need at least {MIN_PAIRS}")
    if np.ptp(values) == 0:
        raise GraphError(f"All {len(values)} measured gains are {values[0]:.6g}; weights need gains that differ")
    return rows, columns, values


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's rank correlation of (n,) and (n,), with mean ranks for ties; 0 if one side is constant.

    Pearson's correlation of the ranks (Spearman 1904). Values that differ only by rounding are ties.
    """
    from scipy.stats import rankdata

    ranks = [rankdata(np.round(side / (np.abs(side).max() or 1.0), 12)) for side in (a, b)]
    x, y = (rank - rank.mean() for rank in ranks)
    scale = np.sqrt((x @ x) * (y @ y))
    return float(x @ y / scale) if scale > 0 else 0.0


def _search(stack: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(M,) weights; see :func:`fit_weights`.

    Args:
        stack: (M, n) rescaled similarities of the pairs.
        values: (n,) their gains.
    """
    count = len(stack)
    alone = [spearman(row, values) for row in stack]
    starts = [np.full(count, 1 / count), np.eye(count)[int(np.argmax(alone))]]
    best, best_score = starts[0], -np.inf
    for start in starts:
        weights, score = _climb(start, stack, values)
        if score > best_score + 1e-12:
            best, best_score = weights, score
    return best


def _climb(weights: np.ndarray, stack: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, float]:
    """Repeats the best shift, for each step size in turn."""
    score = spearman(weights @ stack, values)
    for step in STEPS:
        while True:
            moves = []
            for source in np.flatnonzero(weights):
                for target in range(len(weights)):
                    if source != target:
                        moved = weights.copy()
                        amount = min(step, weights[source])
                        moved[source] -= amount
                        moved[target] += amount
                        moves.append((spearman(moved @ stack, values), moved))
            found, moved = max(moves, key=lambda move: move[0], default=(-np.inf, weights))
            if found <= score + 1e-12:
                break
            weights, score = moved, found
    return weights, score
