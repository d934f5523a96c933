"""How a budget is spent on measurements: in a fixed order up to a share, or on what promises most for its cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mvlpt.errors import ConfigError, GraphError
from mvlpt.experiment.choice.measuring import Measuring
from mvlpt.graph.choice import (
    DEFAULT_SHARE,
    Prior,
    expected_gains,
    fill_unmeasured,
    folds_within,
    least_budget,
    next_candidate,
)

REQUIRED = 2  # candidates that must be measured: alone, and all together


def spend_share(measuring: Measuring, share: float | None) -> float:
    """Measures candidates in their order until a share of the cost of all arms is spent.

    Args:
        measuring: of one trainer and number of shots.
        share: of the cost of all arms with all seeds; ``None`` for a quarter, or what the first candidates cost where
            that is more.

    Returns:
        The share.

    Raises:
        ConfigError: the share is too small; the message gives the smallest that works.
    """
    total = measuring.cost_of_arms()
    costs = {name: {run: cost / total for run, cost in runs.items()} for name, runs in measuring.fold_costs().items()}
    if share is None:
        share = max(DEFAULT_SHARE, least_budget(measuring.candidates, costs, required=REQUIRED))
    try:
        counts = folds_within(measuring.candidates, costs, share, folds=measuring.folds, required=REQUIRED)
    except GraphError as error:
        raise ConfigError(f"grouping.budget, a share of the cost of all arms: {error}") from error
    measuring.run(counts)
    return share


def spend_on_improvement(
    measuring: Measuring,
    budget: float,
    *,
    runs: bool,
    priors: Mapping[str, Prior],
    bias: float,
    affinity: Any = None,
    similarity: Any = None,
) -> None:
    """Measures alone and all together, then ever the candidate with the largest expected improvement for its cost.

    The costs are estimates made before anything runs, so the same call decides the same after a stop.

    Args:
        measuring: of one trainer and number of shots.
        budget: the largest number of seconds of one slot, or of runs.
        runs: whether it is a number of runs.
        priors, bias: see :func:`mvlpt.graph.choice.choose_candidates`.
        affinity, similarity: (T, T) in the order of the columns, for predicted gains; ``None`` without one.

    Raises:
        ConfigError: the budget is too small for the first two candidates; the message gives the smallest that works.
    """
    unit = (lambda seconds: 1.0) if runs else (lambda seconds: seconds)
    first = measuring.candidates[:REQUIRED]
    costs = {name: {run: unit(cost) for run, cost in some.items()} for name, some in measuring.fold_costs().items()}
    try:
        folds_within(first, costs, budget, folds=1, required=REQUIRED)
    except GraphError as error:
        key = "budget_runs" if runs else "budget_seconds"
        raise ConfigError(f"grouping.{key}: {error}") from error
    measuring.run({candidate.name: 1 for candidate in first})
    while True:
        seconds, count = measuring.spent()
        tasks = tuple(measuring.names)
        known = fill_unmeasured(measuring.candidates, tasks, measuring.estimates(), affinity, similarity)
        gains = expected_gains(measuring.candidates, tasks, known, priors, bias)
        row = next_candidate(gains, measuring.next_costs(unit), budget - (count if runs else seconds))
        if row is None:
            return
        name = measuring.candidates[row].name
        measuring.run({name: measuring.counts.get(name, 0) + 1})
