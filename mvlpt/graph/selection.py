"""Which of several candidate sets of tasks to train under a budget, where sets may overlap (Standley et al., 2020).

Each task is served by the chosen set in which it scores best. An integer program chooses the sets: ``y_s`` is 1 if set
s is chosen, and ``z_ts`` is 1 if it serves task t. So ``z_ts <= y_s``, every task is served once, and the chosen sets
cost at most the budget. Shapes: S sets, T tasks.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mvlpt.errors import GraphError, suggest
from mvlpt.graph.checks import check_tasks
from mvlpt.graph.grouping.groups import Grouping

TOLERANCE = 1e-9  # relative difference up to which totals count as equal
SCALE = 2.0**20  # of the goals, since HiGHS stops within an absolute distance of 1e-6 of the optimum


@dataclass(frozen=True)
class Selection:
    """The sets chosen to be trained.

    Attributes:
        chosen: indices of the chosen sets, ascending.
        serves: for each task the index of the set that serves it.
        total: the sum of the tasks' scores, each in the set that serves it.
        cost: total cost of the chosen sets.
        sets: the task names of all candidate sets.
        budget: the budget, or ``None``.
        lower_is_better: whether ``total`` was minimised.
    """

    chosen: tuple[int, ...]
    serves: Mapping[str, int]
    total: float
    cost: float
    sets: tuple[tuple[str, ...], ...]
    budget: float | None = None
    lower_is_better: bool = True

    def grouping(self) -> Grouping:
        """The chosen sets as groups, with ``serves`` if they overlap."""
        order = sorted(self.chosen, key=lambda row: (-len(self.sets[row]), sorted(self.sets[row]), row))
        names = {row: f"g{number}" for number, row in enumerate(order, start=1)}
        groups = tuple(tuple(sorted(self.sets[row])) for row in order)
        overlap = sum(map(len, groups)) > len(self.serves)
        settings = {"budget": self.budget, "cost": self.cost, "lower_is_better": self.lower_is_better}
        serves = {task: names[row] for task, row in sorted(self.serves.items())}
        return Grouping(groups, "selection", self.total, 0.0, 0, settings, serves if overlap else None)


def select_groups(
    sets: Sequence[Iterable[str]],
    scores: Any,
    costs: Sequence[float] | None = None,
    budget: float | None = None,
    *,
    lower_is_better: bool = True,
    tasks: Iterable[str] | None = None,
) -> Selection:
    """Chooses sets so that the sum over tasks of the best score among the chosen sets is optimal.

    Every task is served, and the chosen sets cost at most the budget. Among equal totals the cheapest choice wins, then
    the one with the fewest sets; remaining ties are broken by the sets' names, whatever their order.

    Args:
        sets: S candidate sets of task names.
        scores: S mappings from task to score; or an array (S, T) in the order of ``tasks``, NaN outside the set.
        costs: (S,) the cost of each set; ``None``: 1 each.
        budget: the largest total cost; ``None``: unlimited.
        lower_is_better: whether scores are losses.
        tasks: the tasks to serve; ``None``: all that are in a set.

    Raises:
        GraphError: scores do not match the sets, a set is empty, two rows have the same set and cost, a task is in no
            set, or the budget is too small; then the message gives the smallest that serves all tasks.
    """
    named = [tuple(members) for members in sets]
    names = tuple(sorted({task for members in named for task in members}) if tasks is None else check_tasks(tasks))
    table = _score_array(named, scores, names)
    price = _checked_costs(named, costs)
    _check_sets(named, price, names)
    if budget is not None and (isinstance(budget, bool) or not math.isfinite(budget) or budget < 0):
        raise GraphError(f"The budget is {budget!r}; give a number of at least 0, or leave it out")
    order = sorted(range(len(named)), key=lambda row: (sorted(named[row]), price[row]))
    columns = sorted(range(len(names)), key=names.__getitem__)
    sign = 1.0 if lower_is_better else -1.0
    program = _Program(sign * table[np.ix_(order, columns)], price[order])
    limit = math.inf if budget is None else float(budget)
    rows = sorted(order[row] for row in program.choose(limit))
    serves = {}
    for column, task in enumerate(names):
        holders = [row for row in rows if not np.isnan(table[row, column])]
        serves[task] = min(holders, key=lambda row: (sign * table[row, column], price[row], order.index(row)))
    total = math.fsum(table[row, column] for column, row in enumerate(serves.values()))
    return Selection(
        tuple(rows),
        serves,
        total,
        math.fsum(price[rows]),
        tuple(named),
        None if budget is None else limit,
        lower_is_better,
    )


def _score_array(sets: Sequence[tuple[str, ...]], scores: Any, tasks: Sequence[str]) -> np.ndarray:
    """(S, T) scores, NaN outside the set."""
    if not sets:
        raise GraphError("There is no candidate set to choose from")
    if len(scores) != len(sets):
        raise GraphError(f"There are {len(sets)} candidate sets, but {len(scores)} rows of scores")
    if not isinstance(scores[0], Mapping):
        array = np.array(scores, dtype=np.float64)
        if array.shape != (len(sets), len(tasks)):
            raise GraphError(
                f"The scores have shape {array.shape}, but there are {len(sets)} sets and {len(tasks)} tasks"
            )
        scores = [{task: value for task, value in zip(tasks, row, strict=True) if not np.isnan(value)} for row in array]
    table = np.full((len(sets), len(tasks)), np.nan)
    index = {task: column for column, task in enumerate(tasks)}
    for row, (members, given) in enumerate(zip(sets, scores, strict=True)):
        subject = f"Candidate set {row + 1} ({', '.join(map(str, members))})"
        for task in members:
            if task not in index:
                raise GraphError(f"{subject} contains the unknown task '{task}'{suggest(str(task), tasks)}")
            if task not in given:
                raise GraphError(f"{subject} has no score for '{task}'; give one, or remove the task from the set")
            if not math.isfinite(given[task]):
                raise GraphError(f"{subject} has the score {given[task]} for '{task}'; it must be finite")
            table[row, index[task]] = given[task]
        extra = next((task for task in given if task not in members), None)
        if extra is not None:
            raise GraphError(f"{subject} has a score for '{extra}', which is not in it{suggest(str(extra), members)}")
    return table


def _checked_costs(sets: Sequence[tuple[str, ...]], costs: Sequence[float] | None) -> np.ndarray:
    """(S,) costs."""
    price = np.ones(len(sets)) if costs is None else np.array(costs, dtype=np.float64)
    if price.shape != (len(sets),):
        raise GraphError(f"There are {len(sets)} candidate sets, but {price.size} costs")
    wrong = np.flatnonzero(~np.isfinite(price) | (price < 0))
    if len(wrong):
        raise GraphError(f"Candidate set {wrong[0] + 1} costs {price[wrong[0]]:g}; a cost is a number of at least 0")
    return price


def _check_sets(sets: Sequence[tuple[str, ...]], price: np.ndarray, tasks: Sequence[str]) -> None:
    """Refuses empty and repeated sets, and tasks that are in no set."""
    seen: dict[tuple[frozenset[str], float], int] = {}
    for row, members in enumerate(sets):
        if not members:
            raise GraphError(f"Candidate set {row + 1} is empty; remove it")
        if len(set(members)) < len(members):
            raise GraphError(f"Candidate set {row + 1} ({', '.join(members)}) contains a task twice; remove one")
        key = (frozenset(members), float(price[row]))
        if key in seen:
            listed = ", ".join(members)
            raise GraphError(
                f"Candidate sets {seen[key] + 1} and {row + 1} have the same tasks ({listed}) and cost; remove one"
            )
        seen[key] = row
    covered = {task for members in sets for task in members}
    missing = next((task for task in tasks if task not in covered), None)
    if missing is not None:
        raise GraphError(f"No candidate set contains the task '{missing}'; add one, or omit the task")


def _is_within(cost: float, budget: float) -> bool:
    return cost <= budget * (1 + TOLERANCE)


def rounded_up(value: float, digits: int) -> float:
    """The smallest number of so many digits that is not below a value above 0."""
    step = 10.0 ** (math.floor(math.log10(value)) + 1 - digits)
    return math.ceil(value / step * (1 - 1e-12)) * step


class _Program:
    """The integer program over sets in canonical order.

    Args:
        scores: (S, T) the lower the better, NaN outside the set.
        price: (S,) costs.
    """

    def __init__(self, scores: np.ndarray, price: np.ndarray) -> None:
        from scipy.sparse import csr_array

        self.scores, self.price = scores, price
        self.row, self.column = np.nonzero(~np.isnan(scores))
        self.sets, links = len(price), len(self.row)
        link = np.arange(links)
        self.serve = csr_array((np.ones(links), (self.column, self.sets + link)), (scores.shape[1], self.sets + links))
        ends = np.concatenate([self.sets + link, self.row])
        signs = np.concatenate([np.ones(links), -np.ones(links)])
        self.only_chosen = csr_array((signs, (np.tile(link, 2), ends)), (links, self.sets + links))
        best = np.nanmin(scores, axis=0)
        self.regret = scores[self.row, self.column] - best[self.column]  # the loss compared with the task's best set
        self.scale = max(float(self.regret.max()), 1e-300)

    def _minimise(
        self, goal: np.ndarray, rows: list[tuple[np.ndarray, float]], budget: float = math.inf, *, presolve: bool = True
    ) -> np.ndarray | None:
        """(S,) bool, the sets that minimise a goal with rows below their limits; ``None`` if there are none.

        Sets that cost more than the budget by themselves are left out.
        """
        from scipy.optimize import Bounds, LinearConstraint, milp

        limits = [LinearConstraint(self.serve, 1.0, 1.0), LinearConstraint(self.only_chosen, -np.inf, 0.0)]
        limits += [LinearConstraint(row[None, :], -np.inf, limit) for row, limit in rows if math.isfinite(limit)]
        integrality = np.concatenate([np.ones(self.sets), np.zeros(len(self.row))])
        result = milp(
            goal * SCALE,
            integrality=integrality,
            bounds=Bounds(0.0, self._on_sets(self.price <= budget * (1 + TOLERANCE), others=1.0)),
            constraints=limits,
            options={"mip_rel_gap": 0.0, "presolve": presolve},
        )
        return None if result.x is None else result.x[: self.sets] > 0.5

    def _on_sets(self, values: np.ndarray, others: float = 0.0) -> np.ndarray:
        return np.concatenate([values, np.full(len(self.row), others)])

    def _cheapest(self, budget: float) -> np.ndarray:
        """(S,) bool, the sets that serve all tasks at the least cost.

        Raises:
            GraphError: they cost more than the budget.
        """
        chosen = self._minimise(self._on_sets(self.price / max(float(self.price.max()), 1e-300)), [])
        if not _is_within(self.cost(chosen), budget):
            raise GraphError(
                f"A budget of {budget:g} cannot serve all {self.scores.shape[1]} tasks; the smallest that can is "
                f"{rounded_up(self.cost(chosen), 6):g}"
            )
        return chosen

    def cost(self, chosen: np.ndarray) -> float:
        """The total cost of a choice."""
        return math.fsum(self.price[chosen])

    def loss(self, chosen: np.ndarray) -> float:
        """The loss of a choice compared with every task's best set; infinite if a task is not served."""
        best = np.where(chosen[:, None] & ~np.isnan(self.scores), self.scores, np.inf).min(axis=0)
        return math.fsum(best - np.nanmin(self.scores, axis=0))

    def _is_as_good(self, chosen: np.ndarray, loss: float) -> bool:
        return self.loss(chosen) <= loss + TOLERANCE * max(self.scale, abs(loss))

    def choose(self, budget: float) -> list[int]:
        """The best sets within a budget; ties go to the lower cost, then to fewer sets, then to the first.

        Raises:
            GraphError: no sets within the budget serve all tasks.
        """
        top = max(float(self.price.max()), 1e-300)
        spend = self._on_sets(self.price / top)
        lose = np.concatenate([np.zeros(self.sets), self.regret / self.scale])
        count = self._on_sets(1.0 + np.arange(self.sets) / (1e3 * self.sets))
        within = [(spend, budget / top * (1 + TOLERANCE) + TOLERANCE)]
        best = self._minimise(lose, within, budget)
        while best is not None and not _is_within(self.cost(best), budget):
            # The solver's tolerance admitted it. So near to the budget its presolve errs, too.
            within.append((self._on_sets(best.astype(float)), float(best.sum() - 1)))
            best = self._minimise(lose, within, budget, presolve=False)
        if best is None:
            best = self._cheapest(budget)
        loss = self.loss(best)
        within.append((lose, loss / self.scale + TOLERANCE))
        for goal in (spend, count):
            tried = self._minimise(goal, within, budget)
            if tried is None or not _is_within(self.cost(tried), budget) or not self._is_as_good(tried, loss):
                break  # the solver's tolerance admitted a slightly worse choice
            best = tried
            within.append((goal, float(goal[: self.sets][best].sum()) * (1 + TOLERANCE)))
        return self._without_unused(best)

    def _without_unused(self, chosen: np.ndarray) -> list[int]:
        """Drops sets that are not needed for the same total, the most expensive first."""
        kept, loss = chosen.copy(), self.loss(chosen)
        for row in sorted(np.flatnonzero(chosen), key=lambda row: (-self.price[row], -row)):
            kept[row] = False
            kept[row] = not self._is_as_good(kept, loss)
        return [int(row) for row in np.flatnonzero(kept)]
