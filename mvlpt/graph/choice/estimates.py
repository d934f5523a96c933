"""Scores of candidates with standard errors, from numbers of correct answers on held-out images.

Accuracy and not loss: the loss of a held-out image punishes confidence more than mistakes, and so ranks a prompt that
was tuned on few images too low.

Shapes: C candidates, T tasks, F folds. Scores and errors are in percentage points; NaN stands for "not measured".
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from mvlpt.errors import GraphError


class Estimates(NamedTuple):
    """Scores (C, T) and their standard errors (C, T)."""

    scores: np.ndarray
    errors: np.ndarray


def estimate_scores(correct: Any, shown: Any) -> Estimates:
    """Accuracy over all folds, with the standard error of a proportion.

    One success and one failure are added for the error (Laplace), so that a handful of right answers does not pass
    for certainty.

    Args:
        correct: (C, T, F) correct answers.
        shown: (C, T, F) images tested; 0 where nothing was measured.

    Raises:
        GraphError: shapes differ, or there are more correct answers than images.
    """
    right, total = np.asarray(correct, dtype=np.float64), np.asarray(shown, dtype=np.float64)
    if right.shape != total.shape or right.ndim != 3:
        raise GraphError(
            f"Correct answers have shape {right.shape} and images {total.shape}; both are candidates x tasks x folds"
        )
    if not (np.isfinite(right).all() and np.isfinite(total).all()) or (right < 0).any() or (right > total + 1e-6).any():
        raise GraphError("Numbers of correct answers must lie between 0 and the number of images tested")
    right, total = right.sum(axis=2), total.sum(axis=2)
    known = total > 0
    images = np.where(known, total, 1.0)
    share = (right + 1) / (images + 2)
    scores = np.where(known, 100 * right / images, np.nan)
    errors = np.where(known, 100 * np.sqrt(share * (1 - share) / images), np.nan)
    return Estimates(scores, errors)


def pooled_difference(first: Estimates, second: Estimates) -> Estimates:
    """How much better the first candidate is than the second on every task, each task's difference shrunk to the mean.

    A task has too few images to say much by itself; what a candidate does to the other tasks is evidence, too. The
    differences d_t with variances v_t are modelled as normal round a common mean with variance tau² (random effects;
    DerSimonian and Laird, 1986, for tau²), and every task gets its posterior mean and standard error. A task that was
    not measured gets the mean.

    Args:
        first, second: scores and errors (T,) of one candidate each.

    Returns:
        Differences (T,) and their standard errors (T,); NaN everywhere if no task was measured under both.
    """
    gap = first.scores - second.scores
    variance = first.errors**2 + second.errors**2
    known = ~np.isnan(gap)
    if not known.any():
        return Estimates(np.full_like(gap, np.nan), np.full_like(gap, np.nan))
    measured, spread = gap[known], np.maximum(variance[known], 1e-12)
    weight = 1 / spread
    mean = (weight * measured).sum() / weight.sum()
    scatter = (weight * (measured - mean) ** 2).sum() - (len(measured) - 1)
    scale = weight.sum() - (weight**2).sum() / weight.sum()
    between = max(0.0, scatter / scale) if scale > 0 else 0.0
    weight = 1 / (spread + between)
    mean, mean_variance = (weight * measured).sum() / weight.sum(), 1 / weight.sum()
    own = np.zeros_like(gap)  # how much of a task's own difference is kept
    own[known] = between / (between + spread)
    scores = mean + own * np.where(known, gap - mean, 0.0)
    within = np.where(known, own * np.where(known, variance, 0.0), between)
    return Estimates(scores, np.sqrt(within + (1 - own) ** 2 * mean_variance))
