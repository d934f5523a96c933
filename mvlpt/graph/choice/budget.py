"""Which candidates are measured on how many folds, within a budget."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from mvlpt.errors import GraphError
from mvlpt.graph.choice.candidates import Candidate
from mvlpt.graph.selection import rounded_up

DEFAULT_SHARE = 0.25  # of the cost of all arms


def folds_within(
    candidates: Sequence[Candidate],
    costs: Mapping[str, Mapping[str, float]],
    budget: float,
    *,
    folds: int = 2,
    required: int = 2,
) -> dict[str, int]:
    """On how many folds each candidate is measured.

    All candidates that the budget reaches are measured on one fold, in the given order, before any is measured on a
    second one. A candidate that is too expensive is passed over for cheaper ones after it. A run that several
    candidates need is paid for once.

    Args:
        candidates: the most promising first.
        costs: for each candidate the runs of one fold and what each costs.
        budget: the largest total, in the unit of the costs.
        folds: the most for a candidate.
        required: how many candidates, the first ones, must be measured at least.

    Returns:
        The number of folds by candidate, without those that are not measured.

    Raises:
        GraphError: the budget is no number above 0, or too small for the required candidates; the message gives the
            smallest that works.
    """
    if isinstance(budget, bool) or not isinstance(budget, int | float) or not math.isfinite(budget) or budget <= 0:
        raise GraphError(f"The budget is {budget!r}; give a number above 0")
    least = least_budget(candidates, costs, required=required)
    if least > budget * (1 + 1e-9):
        names = " and ".join(candidate.name for candidate in candidates[:required])
        raise GraphError(
            f"A budget of {budget:.4g} is too small to estimate {names} on one fold; the smallest that works is "
            f"{rounded_up(least, 4):.4g}"
        )
    counts: dict[str, int] = {}
    spent = 0.0
    for level in range(1, folds + 1):
        planned: set[str] = set()
        for candidate in candidates:
            price = math.fsum(cost for run, cost in costs[candidate.name].items() if run not in planned)
            if counts.get(candidate.name, 0) == level - 1 and spent + price <= budget * (1 + 1e-9):
                counts[candidate.name] = level
                planned |= costs[candidate.name].keys()
                spent += price
    return counts


def least_budget(
    candidates: Sequence[Candidate], costs: Mapping[str, Mapping[str, float]], *, required: int = 2
) -> float:
    """What the first candidates cost on one fold, the least that :func:`folds_within` can work with.

    Args:
        candidates, costs, required: as those of :func:`folds_within`.
    """
    return math.fsum({run: cost for one in candidates[:required] for run, cost in costs[one.name].items()}.values())
