"""Which candidate serves which task: a one-standard-error rule that prefers simple candidates.

Shapes: C candidates, T tasks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np

from mvlpt.errors import GraphError
from mvlpt.graph.choice.candidates import Candidate, PromptSource, check_candidates
from mvlpt.graph.choice.estimates import Estimates, pooled_difference
from mvlpt.graph.choice.prior import Prior

CAUTION = 0.5  # points of its estimate that a candidate pays for a point by which its gain differs between tasks


@dataclass(frozen=True)
class TaskChoice:
    """What serves one task.

    Attributes:
        task: its name.
        candidate: the name of the chosen candidate.
        source: the prompt of that candidate that serves the task.
        best: the name of the candidate with the highest estimate.
        behind: by how many points the chosen one is estimated to be below the best; 0 if it is the best.
        error: the standard error of that difference.
        gain: over the simplest candidate, in points.
        gain_error: the standard error of the gain.
        reason: one sentence.
    """

    task: str
    candidate: str
    source: PromptSource
    best: str
    behind: float
    error: float
    gain: float
    gain_error: float
    reason: str


def choose_candidates(
    candidates: Sequence[Candidate],
    tasks: Sequence[str],
    scores: Any,
    errors: Any,
    *,
    tolerance: float = 1.0,
    priors: Mapping[str, Prior] | None = None,
    bias: float = 0.0,
) -> tuple[TaskChoice, ...]:
    """Chooses a candidate for each task.

    For every task, the candidate with the highest estimate is found, where each estimate is the pooled difference to
    the simplest candidate. The simplest candidate that is at most ``tolerance`` standard errors of their difference
    below it is chosen, if no simpler one has a higher estimate. Of equally simple ones (:attr:`Candidate.level`) that
    near it is the one with the highest estimate less :data:`CAUTION` times the deviation of its gain between tasks.
    A candidate that leaves a task alone is no choice for it: its prompt is that of ``single``.

    Args:
        candidates: C ways to serve the tasks.
        tasks: in the order of the columns.
        scores: (C, T) points, higher is better; NaN where not measured.
        errors: (C, T) standard errors; NaN where not measured.
        tolerance: in standard errors; 0 always takes the highest estimate.
        priors: by candidate the gain that is expected of it without any measurement, in the order of the tasks; with
            priors, a candidate need not be measured.
        bias: standard deviation of an error of a candidate's scores that all tasks have in common; see
            :func:`~mvlpt.graph.choice.pooled_difference`.

    Returns:
        A choice for each task, in the order of ``tasks``. It does not depend on the order of candidates or tasks.

    Raises:
        GraphError: candidates do not serve exactly the tasks, shapes do not match, an error is negative, or the
            simplest candidate was measured on no task and there are no priors.
    """
    known = check_candidates(candidates, tasks)
    values, spread = _checked(scores, errors, (len(known), len(tasks)))
    order = sorted(range(len(known)), key=lambda row: known[row].simplicity)
    columns = sorted(range(len(tasks)), key=tasks.__getitem__)  # sums do not depend on the order of the tasks
    estimates = [Estimates(values[row, columns], spread[row, columns]) for row in order]
    ordered = [known[row] for row in order]
    if np.isnan(estimates[0].scores).all() and not priors:
        raise GraphError(f"Candidate '{ordered[0].name}', the simplest, was measured on no task; measure it first")
    believed = [(priors or {}).get(one.name, Prior(0.0, math.inf)) for one in ordered]
    alone = [one.alone([tasks[column] for column in columns]) for one in ordered]
    expectations = [
        np.where(own, 0.0, np.broadcast_to(one.gain, len(tasks))[columns])
        for one, own in zip(believed, alone, strict=True)
    ]

    def difference(first: int, second: int) -> Estimates:
        expected, same = expectations[first] - expectations[second], alone[first] & alone[second]
        # Both are gains over the same scores of each task alone, whose error is not one of the difference.
        error = max(believed[first].error, believed[second].error)
        if priors and first == second:
            expected, error = 0.0, 0.0
        return pooled_difference(estimates[first], estimates[second], prior=(expected, error), bias=bias, same=same)

    gains = {row: difference(row, 0) for row in range(len(ordered))}
    gains = {row: gain for row, gain in gains.items() if not np.isnan(gain.scores).any()}
    differences: dict[tuple[int, int], Estimates] = {}

    def behind(best: int, row: int, column: int) -> tuple[float, float]:
        if row == best:
            return 0.0, 0.0
        if (best, row) not in differences:
            differences[best, row] = difference(best, row)
        return float(differences[best, row].scores[column]), float(differences[best, row].errors[column])

    chosen: dict[str, TaskChoice] = {}
    for column, position in enumerate(columns):
        options = [row for row in gains if row == 0 or not (alone[row] & alone[0])[column]]
        own = {row: round(float(gains[row].scores[column]), 9) for row in options}
        best = max(own, key=lambda row: (own[row], -row))
        gaps = {row: behind(best, row, column) for row in own}
        close = {row for row, (points, error) in gaps.items() if points <= tolerance * error}
        row = _simplest(own, close, [one.level for one in ordered], [one.spread for one in believed])
        gain = Estimates(gains[row].scores[column], gains[row].errors[column])
        measured = not np.isnan(estimates[best].scores).all()
        chosen[tasks[position]] = _choice(tasks[position], ordered, row, best, gaps[row], gain, measured)
    return tuple(chosen[task] for task in tasks)


def _simplest(own: Mapping[int, float], close: Set[int], levels: Sequence[int], spreads: Sequence[float]) -> int:
    """The row that is chosen for one task.

    Args:
        own: the estimate of each row.
        close: the rows within the tolerance of the best one, which is among them.
        levels: how simple each row is.
        spreads: of each row's gain over tasks.
    """
    simpler = -math.inf  # the highest estimate of what is simpler
    for level in sorted({levels[row] for row in own}):
        rows = sorted((row for row in own if levels[row] == level), key=lambda row: (-own[row], row))
        if rows[0] in close and own[rows[0]] >= simpler:
            near = [row for row in rows if row in close and own[row] >= simpler]
            return max(near, key=lambda row: own[row] - CAUTION * spreads[row])
        simpler = max(simpler, own[rows[0]])
    raise AssertionError("the best is close to itself")


def _choice(
    task: str,
    ordered: Sequence[Candidate],
    row: int,
    best: int,
    behind: tuple[float, float],
    gain: Estimates,
    measured: bool,
) -> TaskChoice:
    """The choice with its reason; ``measured`` says whether the best candidate was, or is only expected to be."""
    estimate = "estimate" if measured else "expected score"
    candidate, top, simplest = ordered[row], ordered[best], ordered[0]
    points, error = float(gain.scores), float(gain.errors)
    gained = f"{points:+.1f} ± {error:.1f} points compared with {simplest.name}"
    if row == best == 0:
        reason = f"{candidate.name} has the highest {estimate}, and is the simplest."
    elif row == best:
        reason = f"{candidate.name} has the highest {estimate}, {gained}, and no simpler candidate is within its error."
    else:
        why = "is simpler" if candidate.level < top.level else "differs less between tasks"
        reason = (
            f"{candidate.name} {why} than {top.name}, whose {estimate} is only {behind[0]:.1f} ± {behind[1]:.1f} "
            "points higher"
        )
        reason += "." if row == 0 else f"; it has {gained}."
    return TaskChoice(task, candidate.name, candidate.source_of(task), top.name, *behind, points, error, reason)


def _checked(scores: Any, errors: Any, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Scores and errors as arrays of the shape candidates x tasks."""
    values, spread = np.array(scores, dtype=np.float64), np.array(errors, dtype=np.float64)
    if values.shape != shape or spread.shape != shape:
        raise GraphError(
            f"Scores have shape {values.shape} and errors {spread.shape}; there are {shape[0]} candidates and "
            f"{shape[1]} tasks"
        )
    if np.isinf(values).any() or np.isinf(spread).any() or (spread < 0).any():
        raise GraphError("Scores must be finite and standard errors at least 0; NaN stands for what was not measured")
    if (np.isnan(values) != np.isnan(spread)).any():
        raise GraphError("Every score needs a standard error, and every standard error a score")
    return values, spread
