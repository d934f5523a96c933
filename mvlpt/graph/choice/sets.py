"""The prompts that are finally trained: those that serve the chosen candidates, or the best of them under a budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mvlpt.graph.choice.candidates import Candidate, PromptSource, check_candidates
from mvlpt.graph.choice.estimates import Estimates, pooled_difference
from mvlpt.graph.choice.rule import TaskChoice
from mvlpt.graph.grouping.groups import Grouping
from mvlpt.graph.selection import select_groups

LEAST_LOSS = 0.01  # points lost by a prompt that was not chosen: the choice stands unless a budget forbids it
COST_STEP = 1e-6  # relative


@dataclass(frozen=True)
class ChosenPrompts:
    """The prompts to train.

    Attributes:
        grouping: the sets of tasks that share a prompt, with ``serves`` if they overlap.
        adapted: the tasks to which the prompt that serves them is then adapted, sorted.
        sources: the prompt that serves each task.
        loss: by how many points, over all tasks, the budget made the choice worse; 0 without one.
        cost: of all prompts.
    """

    grouping: Grouping
    adapted: tuple[str, ...]
    sources: Mapping[str, PromptSource]
    loss: float
    cost: float


def choose_prompts(
    candidates: Sequence[Candidate],
    choices: Sequence[TaskChoice],
    scores: Any,
    errors: Any,
    *,
    costs: Mapping[PromptSource, float] | None = None,
    budget: float | None = None,
) -> ChosenPrompts:
    """Selects the prompts to train with :func:`mvlpt.graph.select_groups`.

    Without a budget these are the prompts of the choices. With one, tasks are served by the prompts that lose the
    fewest estimated points compared with the choices.

    Args:
        candidates: C ways to serve the tasks.
        choices: of every task, by :func:`mvlpt.graph.choice.choose_candidates`.
        scores, errors: (C, T), columns in the order of ``choices``.
        costs: of every prompt; ``None``: one for each task that shares it, and one more for each if it is adapted.
        budget: the largest cost of all prompts.

    Raises:
        GraphError: the candidates do not fit, or the budget serves not all tasks; the smallest is named.
    """
    tasks = tuple(choice.task for choice in choices)
    candidates = check_candidates(candidates, tasks)
    losses = _losses(candidates, choices, Estimates(np.asarray(scores, float), np.asarray(errors, float)))
    rows = sorted(losses, key=lambda source: (source.adapted, source.tasks))
    price = {source: default_cost(source) if costs is None else float(costs[source]) for source in rows}
    seen: set[tuple[tuple[str, ...], float]] = set()
    for source in rows:  # the same tasks with and without adaptation at one cost: the selection tells them apart
        while (source.tasks, price[source]) in seen:
            price[source] += COST_STEP * max(1.0, price[source])
        seen.add((source.tasks, price[source]))
    named = [source.tasks for source in rows]
    table = [losses[source] for source in rows]
    selection = select_groups(named, table, [price[source] for source in rows], budget, tasks=tasks)
    sources = {task: rows[selection.serves[task]] for task in tasks}
    adapted = tuple(sorted(task for task, source in sources.items() if source.adapted))
    return ChosenPrompts(
        _grouping(sources, selection.cost, budget), adapted, sources, max(0.0, selection.total), selection.cost
    )


def default_cost(source: PromptSource) -> float:
    """One for each task that shares the prompt, and one more for each that it is adapted to."""
    return float(len(source.tasks) * (2 if source.adapted else 1))


def _losses(
    candidates: Sequence[Candidate], choices: Sequence[TaskChoice], estimates: Estimates
) -> dict[PromptSource, dict[str, float]]:
    """For each prompt the estimated loss of each of its tasks compared with the task's choice."""
    index = {candidate.name: row for row, candidate in enumerate(candidates)}
    rows = [Estimates(scores, errors) for scores, errors in zip(*estimates, strict=True)]
    losses: dict[PromptSource, dict[str, float]] = {}
    behind: dict[tuple[int, int], np.ndarray] = {}
    for row, candidate in enumerate(candidates):
        for column, choice in enumerate(choices):
            source, chosen = candidate.source_of(choice.task), index[choice.candidate]
            if (chosen, row) not in behind:
                behind[chosen, row] = pooled_difference(rows[chosen], rows[row]).scores
            points = behind[chosen, row][column]
            if source == choice.source:
                loss = 0.0
            elif np.isnan(points):
                loss = 100.0  # nothing is known of it
            else:
                loss = max(LEAST_LOSS, float(points))
            known = losses.setdefault(source, {})
            known[choice.task] = min(loss, known.get(choice.task, loss))
    return losses


def _grouping(sources: Mapping[str, PromptSource], cost: float, budget: float | None) -> Grouping:
    """Every set of tasks once, whether its prompt is adapted or not."""
    sets = sorted({source.tasks for source in sources.values()}, key=lambda tasks: (-len(tasks), tasks))
    names = {tasks: f"g{number}" for number, tasks in enumerate(sets, start=1)}
    serves = {task: names[source.tasks] for task, source in sorted(sources.items())}
    overlap = sum(map(len, sets)) > len(serves)
    settings = {"budget": budget, "cost": cost}
    return Grouping(tuple(sets), "choose", None, None, 0, settings, serves if overlap else None)
