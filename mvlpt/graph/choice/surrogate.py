"""Gains of candidates that the budget does not reach, predicted from those that were measured.

A task's gain from a group is modelled as

    gain(t, G) = m[shared or adapted] + own[t] + slope x mean affinity of the others in G to t
                 + mean over u in G without t of (w[u, t] + v[u, t]) + noise

with normal priors of mean 0 on every term: ridge regression on indicators of targets and ordered pairs, and an affinity
as a further regressor. With a similarity of tasks, the terms v of one target are correlated by it, so that what one
partner does to a task is evidence of what a similar partner does. Sets of tasks are few and pairs are many, so it is
solved in the dual: as a Gaussian process with the kernel that these terms make (Rasmussen & Williams 2006, chapter 2).
The variances of the terms are those of a small grid under which the measured gains are likeliest. A target's own term
takes up that most of the variance of gains lies between targets; the others follow surrogates over task sets such as
ETAP (2026) and MTG-Net (2022).

Shapes: C candidates, T tasks, N measured (candidate, task).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from mvlpt.errors import GraphError
from mvlpt.graph.checks import check_matrix
from mvlpt.graph.choice.candidates import Candidate, check_candidates
from mvlpt.graph.choice.estimates import Estimates

LEVEL = 100.0  # the variance of the level of all gains, as a multiple of the variance of measured ones
SHARES = (0.0, 0.25, 1.0)  # of the variance of measured gains, tried for each term


def predict_gains(
    candidates: Sequence[Candidate],
    tasks: Sequence[str],
    gains: Any,
    errors: Any,
    affinity: Any = None,
    similarity: Any = None,
) -> Estimates:
    """The gain of every candidate for every task over each task alone, with a standard error.

    Args:
        candidates: C ways to serve the tasks.
        tasks: T names, in the order of the columns.
        gains: (C, T) measured gains over each task alone, points; NaN where not measured.
        errors: (C, T) their standard errors.
        affinity: (T, T) how much training on the row's task helps the column's; ``None`` if it is not known.
        similarity: (T, T) symmetric, in [0, 1], of the tasks as partners; ``None`` if it is not known.

    Returns:
        Gains (C, T) and standard errors (C, T), the measured ones pulled to what the others suggest. The prompt of a
        single task gains 0 with error 0. Nothing depends on the order of candidates or tasks, up to rounding.

    Raises:
        GraphError: candidates do not serve exactly the tasks, shapes do not match, or fewer than two gains of shared
            prompts were measured.
    """
    candidates, names = check_candidates(candidates, tasks), list(tasks)
    shape = (len(candidates), len(names))
    values, spread = np.array(gains, dtype=np.float64), np.array(errors, dtype=np.float64)
    if values.shape != shape or spread.shape != shape:
        raise GraphError(f"Gains have shape {values.shape} and errors {spread.shape}; both must be {shape}")
    others, adapted = _others(candidates, names)
    shared = others.any(axis=2)
    known = shared & ~np.isnan(values)
    if known.sum() < 2:
        raise GraphError("A surrogate needs two measured gains of shared prompts; measure one with groups first")
    means = np.zeros(shape)
    if affinity is not None:
        matrix = np.nan_to_num(check_matrix(affinity, names, missing=True).copy())
        np.fill_diagonal(matrix, 0.0)
        counts = np.maximum(others.sum(axis=2), 1)
        means = np.einsum("ctu,ut->ct", others, matrix) / counts
        scale = means[shared].std()
        means = (means - means[shared].mean()) / scale if scale > 0 else np.zeros(shape)
    partners = None if similarity is None else _covariance(check_matrix(similarity, names))
    terms = _kernels(others, adapted, means, shared, partners)
    rows = np.flatnonzero(known[shared])
    measured, noise = values[shared][rows], spread[shared][rows] ** 2
    # However alike a few measured gains are, the level of all is not known better than their errors allow.
    scale = max(float(measured.var()), float(noise.mean()) / LEVEL, 1e-6)
    weights = _likeliest([term[np.ix_(rows, rows)] for term in terms], measured, noise, scale)
    kernel = sum(weight * term for weight, term in zip(weights, terms, strict=True))
    solved = np.linalg.solve(
        kernel[np.ix_(rows, rows)] + np.diag(noise) + 1e-9 * scale * np.eye(len(rows)),
        np.column_stack([measured, kernel[rows]]),
    )
    mean = kernel[:, rows] @ solved[:, 0]
    variance = np.diagonal(kernel) - np.einsum("ij,ji->i", kernel[:, rows], solved[:, 1:])
    found = Estimates(np.zeros(shape), np.zeros(shape))
    found.scores[shared], found.errors[shared] = mean, np.sqrt(variance.clip(min=0))
    return found


def fill_unmeasured(
    candidates: Sequence[Candidate],
    tasks: Sequence[str],
    estimates: Estimates,
    affinity: Any = None,
    similarity: Any = None,
) -> Estimates:
    """Estimates in which candidates that were measured on no task have predicted scores.

    A predicted score is that of each task alone plus the predicted gain. Where each task alone was not measured, or
    fewer than two gains were, nothing is filled in.

    Args:
        candidates, tasks, affinity, similarity: as those of :func:`predict_gains`.
        estimates: scores (C, T) and errors (C, T), NaN where not measured.
    """
    single = next((row for row, one in enumerate(candidates) if one.arm == "single"), None)
    missing = np.isnan(estimates.scores).all(axis=1)
    if single is None or missing[single] or not missing.any():
        return estimates
    alone = estimates.scores[single]
    gains = estimates.scores - alone
    shared = [row for row, one in enumerate(candidates) if one.arm != "single"]
    if (~np.isnan(gains[shared])).sum() < 2:
        return estimates
    errors = np.sqrt(estimates.errors**2 + estimates.errors[single] ** 2)
    found = predict_gains(candidates, tasks, gains, np.where(np.isnan(errors), 0.0, errors), affinity, similarity)
    rows = missing[:, None] & ~np.isnan(alone)[None, :]
    own = np.array([one.alone(tasks) for one in candidates])  # the same prompt as alone, with the same error
    errors = np.where(own, estimates.errors[single], found.errors)
    return Estimates(np.where(rows, alone + found.scores, estimates.scores), np.where(rows, errors, estimates.errors))


def _others(candidates: Sequence[Candidate], tasks: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Which tasks share the prompt that serves a task (C, T, T), and whether it is adapted to it (C, T)."""
    others = np.zeros((len(candidates), len(tasks), len(tasks)), dtype=bool)
    adapted = np.zeros(others.shape[:2], dtype=bool)
    for row, candidate in enumerate(candidates):
        for column, task in enumerate(tasks):
            source = candidate.source_of(task)
            others[row, column, [tasks.index(other) for other in source.tasks if other != task]] = True
            adapted[row, column] = source.adapted
    return others, adapted


def _covariance(similarity: np.ndarray) -> np.ndarray:
    """The cosines 2 s - 1 of a similarity (T, T) as the nearest positive semidefinite matrix."""
    values, vectors = np.linalg.eigh(2 * np.asarray(similarity, dtype=np.float64) - 1)
    return (vectors * values.clip(min=0)) @ vectors.T


def _kernels(
    others: np.ndarray, adapted: np.ndarray, means: np.ndarray, shared: np.ndarray, partners: np.ndarray | None
) -> list[np.ndarray]:
    """The covariance of each term between all shared (candidate, task), for a variance of 1."""
    target = np.nonzero(shared)[1]
    same = (target[:, None] == target[None, :]).astype(float)
    sets = others[shared] / others[shared].sum(axis=1, keepdims=True)
    kind, mean = adapted[shared], means[shared]
    level = 0.5 + 0.5 * (kind[:, None] == kind[None, :])
    found = [level, same, np.outer(mean, mean), same * (sets @ sets.T), same * (sets @ sets.T) * level]
    return found if partners is None else [*found, same * (sets @ partners @ sets.T)]


def _likeliest(terms: list[np.ndarray], gains: np.ndarray, noise: np.ndarray, scale: float) -> list[float]:
    """Variances of the terms under which the gains (N,) are likeliest; the level of all may be anything."""
    from scipy.linalg import solve_triangular

    best, weights = -np.inf, []
    for shares in itertools.product(SHARES, repeat=len(terms) - 1):
        tried = [LEVEL * scale, *(share * scale for share in shares)]
        matrix = sum(weight * term for weight, term in zip(tried, terms, strict=True))
        matrix = matrix + np.diag(noise) + 1e-9 * scale * np.eye(len(gains))
        try:
            factor = np.linalg.cholesky(matrix)
        except np.linalg.LinAlgError:  # rounding made it indefinite
            continue
        white = solve_triangular(factor, gains, lower=True, check_finite=False)
        likelihood = -0.5 * white @ white - np.log(np.diagonal(factor)).sum()
        if likelihood > best + 1e-9:
            best, weights = likelihood, tried
    return weights
