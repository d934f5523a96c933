"""Which candidate to measure next: the one with the largest expected improvement for its cost.

Shapes: C candidates, T tasks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mvlpt.errors import GraphError
from mvlpt.graph.choice.candidates import Candidate
from mvlpt.graph.choice.estimates import Estimates, pooled_difference
from mvlpt.graph.choice.prior import Prior

LEAST = 1e-3  # points a task: a smaller expected improvement is none


def expected_improvement(mean: Any, error: Any, best: Any) -> np.ndarray:
    """E[max(0, X - best)] of a normal X (Jones et al. 1998, equation 15).

    Args:
        mean, error: of X, of any shape.
        best: what there is already, of the same shape.
    """
    mean, error, best = (np.asarray(value, dtype=np.float64) for value in (mean, error, best))
    safe = np.where(error > 0, error, 1.0)
    z = (mean - best) / safe
    density = np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
    below = 0.5 * (1 + np.vectorize(math.erf, otypes=[float])(z / math.sqrt(2)))
    return np.where(error > 0, (mean - best) * below + error * density, np.maximum(mean - best, 0.0))


def expected_gains(
    candidates: Sequence[Candidate],
    tasks: Sequence[str],
    estimates: Estimates,
    priors: Mapping[str, Prior] | None = None,
    bias: float = 0.0,
) -> Estimates:
    """The pooled gain of every candidate over each task alone, with standard errors.

    Args:
        candidates: C of them, with each task alone.
        tasks: in the order of the columns.
        estimates: scores and errors (C, T), NaN where not measured.
        priors, bias: see :func:`~mvlpt.graph.choice.choose_candidates`.

    Raises:
        GraphError: no candidate is each task alone.
    """
    rows = [Estimates(*pair) for pair in zip(*estimates, strict=True)]
    single = next((row for row, one in enumerate(candidates) if one.arm == "single"), None)
    if single is None:
        raise GraphError("Gains are over each task alone, and no candidate is that; add it")
    found = []
    for row, candidate in enumerate(candidates):
        prior = (priors or {}).get(candidate.name, Prior(0.0, math.inf))
        known = {"prior": (prior.gain, prior.error), "bias": bias, "same": candidate.alone(tasks)}
        found.append(pooled_difference(rows[row], rows[single], **known))
    found[single] = Estimates(np.zeros_like(rows[single].scores), np.zeros_like(rows[single].scores))
    return Estimates(np.array([one.scores for one in found]), np.array([one.errors for one in found]))


def next_candidate(gains: Estimates, costs: Mapping[int, float], remaining: float) -> int | None:
    """The candidate to measure next.

    A task is served by the candidate with its highest expected gain. A measurement of another candidate improves that
    where it turns out better, so its value is the sum over tasks of the expected improvement.

    Args:
        gains: (C, T) over each task alone, and their standard errors; all finite, predicted where not measured.
        costs: of measuring a candidate, by its row; those that cannot be measured again are left out.
        remaining: of the budget, in the unit of the costs.

    Returns:
        The row with the largest expected improvement per cost among those that the budget still reaches, the first of
        equals; ``None`` if there is none, or none that is expected to improve a task.

    Raises:
        GraphError: a gain is not finite, or a cost is not above 0.
    """
    scores, errors = np.asarray(gains.scores, dtype=np.float64), np.asarray(gains.errors, dtype=np.float64)
    if not (np.isfinite(scores).all() and np.isfinite(errors).all()):
        raise GraphError("Every candidate needs an expected gain with a standard error; predict those not measured")
    if any(not math.isfinite(cost) or cost <= 0 for cost in costs.values()):
        raise GraphError("What a measurement costs must be above 0")
    best = scores.max(axis=0)
    found, value = None, 0.0
    for row in sorted(costs):
        if costs[row] > remaining * (1 + 1e-9):
            continue
        improvement = float(expected_improvement(scores[row], errors[row], best).sum())
        if improvement > LEAST * scores.shape[1] and improvement / costs[row] > value * (1 + 1e-12):
            found, value = row, improvement / costs[row]
    return found
