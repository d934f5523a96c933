"""Scores of candidates with standard errors, from numbers of correct answers on held-out images.

Accuracy and not loss: the loss of a held-out image punishes confidence more than mistakes, and so ranks a prompt that
was tuned on few images too low.

Shapes: C candidates, T tasks, F folds. Scores and errors are in percentage points; NaN stands for "not measured".
"""

from __future__ import annotations

import math
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


def pooled_difference(
    first: Estimates,
    second: Estimates,
    *,
    prior: tuple[Any, float] = (0.0, math.inf),
    bias: float = 0.0,
    same: Any = False,
) -> Estimates:
    """How much better the first candidate is than the second on every task, each task's difference shrunk to the mean.

    A task has too few images to say much by itself; what a candidate does to the other tasks is evidence, too. The
    differences d_t with variances v_t are modelled as normal round a common mean with variance tau² (random effects;
    DerSimonian and Laird, 1986, for tau²), and every task gets its posterior mean and standard error. A task that was
    not measured gets the mean.

    Args:
        first, second: scores and errors (T,) of one candidate each.
        prior: the expected difference, one for all tasks or (T,), and the standard error of the error that all tasks
            have in common; infinite if nothing is known. Measured differences are shrunk to the expected ones.
        bias: the standard deviation of an error that all tasks have in common, as of folds which leave out classes.
        same: (T,) the tasks that both candidates serve with one and the same prompt, or one for all. Their difference
            is 0 with error 0, and says nothing of other tasks.

    Returns:
        Differences (T,) and their standard errors (T,). If no task was measured under both they are those of the
        prior, NaN without one.
    """
    gap = np.where(same, np.nan, first.scores - second.scores)
    found = _pooled(gap, first.errors**2 + second.errors**2, prior, bias)
    return Estimates(*(np.where(same, 0.0, values) for values in found))


def _pooled(gap: np.ndarray, variance: np.ndarray, prior: tuple[Any, float], bias: float) -> Estimates:
    """The posterior of differences (T,), NaN where not measured, with their variances (T,)."""
    informed = not math.isinf(prior[1])
    expected = np.broadcast_to(np.asarray(prior[0] if informed else 0.0, dtype=np.float64), gap.shape)
    known = ~np.isnan(gap)
    if not known.any():
        value, error = (expected, prior[1]) if informed else (np.nan, np.nan)
        return Estimates(np.array(np.broadcast_to(value, gap.shape)), np.full_like(gap, error))
    surprise = gap - expected
    measured, spread = surprise[known], np.maximum(variance[known], 1e-12)
    weight = 1 / spread
    mean = (weight * measured).sum() / weight.sum()
    scatter = (weight * (measured - mean) ** 2).sum() - (len(measured) - 1)
    scale = weight.sum() - (weight**2).sum() / weight.sum()
    between = max(0.0, scatter / scale) if scale > 0 else 0.0
    weight = 1 / (spread + between)
    centre, centre_variance = (weight * measured).sum() / weight.sum(), 1 / weight.sum()
    own = np.zeros_like(gap)  # how much of a task's own difference is kept
    own[known] = between / (between + spread)
    apart = own * np.where(known, surprise - centre, 0.0)  # what all tasks have in common does not tell them apart
    within = np.where(known, own * np.where(known, variance, 0.0), between)
    if not bias and not informed:
        return Estimates(centre + apart, np.sqrt(within + (1 - own) ** 2 * centre_variance))
    mean, mean_variance = _combined(centre, centre_variance + bias**2, prior[1])
    return Estimates(expected + mean + apart, np.sqrt(within + mean_variance + own**2 * centre_variance))


def _combined(value: float, variance: float, error: float) -> tuple[float, float]:
    """The mean and variance of a normal belief around 0 with a standard error, after a measurement with a variance."""
    if math.isinf(error):
        return value, variance
    trust = variance / (variance + max(error**2, 1e-12))  # in the belief
    return (1 - trust) * value, (1 - trust) * variance
