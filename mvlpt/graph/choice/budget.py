"""Which candidates are measured on how many folds, within a budget."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from mvlpt.errors import GraphError
from mvlpt.graph.choice.candidates import Candidate

DEFAULT_SHARE = 0.25  # of the cost of all arms


def folds_within(
    candidates: Sequence[Candidate], costs: Mapping[str, float], budget: float, *, folds: int = 2, required: int = 2
) -> dict[str, int]:
    """On how many folds each candidate is measured.

    All candidates that the budget reaches are measured on one fold, simple ones first, before any is measured on a
    second one. A candidate that is too expensive is passed over for cheaper ones after it.

    Args:
        candidates: in any order.
        costs: of one fold, by the name of the candidate.
        budget: the largest total, in the unit of the costs.
        folds: the most for a candidate.
        required: how many candidates, the simplest, must be measured at least.

    Returns:
        The number of folds by candidate, without those that are not measured; the simplest first.

    Raises:
        GraphError: the budget is no number above 0, or too small for the required candidates; the message gives the
            smallest that works.
    """
    if isinstance(budget, bool) or not isinstance(budget, int | float) or not math.isfinite(budget) or budget <= 0:
        raise GraphError(f"The budget is {budget!r}; give a number above 0")
    order = sorted(candidates, key=lambda candidate: candidate.simplicity)
    least = math.fsum(costs[candidate.name] for candidate in order[:required])
    if least > budget * (1 + 1e-9):
        names = " and ".join(candidate.name for candidate in order[:required])
        raise GraphError(
            f"A budget of {budget:.4g} is too small to estimate {names} on one fold; the smallest that works is "
            f"{least:.4g}"
        )
    counts: dict[str, int] = {}
    spent = 0.0
    for level in range(1, folds + 1):
        for position, candidate in enumerate(order):
            price = costs[candidate.name]
            reached = counts.get(candidate.name, 0) == level - 1
            kept = 0.0  # for required candidates that come later
            if level == 1 and position < required:
                kept = math.fsum(costs[one.name] for one in order[position + 1 : required])
            if reached and spent + price + kept <= budget * (1 + 1e-9):
                counts[candidate.name] = level
                spent += price
    return counts
