"""Mean and standard deviation over seeds, of means over tasks."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mvlpt.engine.results import TEST_SPLITS
from mvlpt.report.scores import Method, Scores

OVERALL = "all tasks"


@dataclass(frozen=True)
class Cell:
    """One entry of a table.

    Attributes:
        mean: over seeds, of the mean over tasks; percent.
        sd: sample standard deviation over seeds; ``None`` with one seed.
        seeds: how many seeds.
        tasks: how many tasks each mean is over.
    """

    mean: float
    sd: float | None
    seeds: int
    tasks: int

    def __str__(self) -> str:
        return self.text(1)

    def text(self, digits: int) -> str:
        """With so many digits after the point."""
        mean = f"{self.mean:.{digits}f}"
        return mean if self.sd is None else f"{mean} ± {self.sd:.{digits}f}"


def average(scores: Scores, method: Method, tasks: Sequence[str]) -> Cell | None:
    """The mean over tasks and seeds, and the deviation over seeds of the means over tasks.

    Where a seed lacks a task its mean would be over other tasks, so that there is a mean but no deviation; the mean is
    then that of the tasks' means over the seeds they have. ``None`` if a task has no score at all, if there is no
    task, or if some metrics are better when higher and others when lower.
    """
    by_task = [scores.values.get((method, task)) for task in tasks]
    if not by_task or not all(by_task) or len({scores.higher_is_better[task] for task in tasks}) > 1:
        return None
    seeds = {seed for by_seed in by_task for seed in by_seed}
    mean = statistics.fmean(statistics.fmean(by_seed.values()) for by_seed in by_task)
    sd = None
    if len(seeds) > 1 and all(set(by_seed) == seeds for by_seed in by_task):
        sd = statistics.stdev(statistics.fmean(by_seed[seed] for by_seed in by_task) for seed in seeds)
    return Cell(mean, sd, len(seeds), len(tasks))


def summarise(
    rows: Iterable[Mapping[str, Any]], group_of: Mapping[str, str]
) -> dict[tuple[str, str, int], dict[str, Cell]]:
    """Averages test scores over the tasks of each group and over all tasks, then over seeds.

    Args:
        rows: lines of ``results.jsonl``.
        group_of: task to the name of its group; tasks without one count among all tasks only.

    Returns:
        ``{(trainer, arm, shots): {group: cell}}`` in the order of the rows; the group :data:`OVERALL` holds all tasks.

    Raises:
        ValueError: the seeds of a run kind do not cover the same tasks, so that their means cannot be compared.
    """
    scores: dict[tuple[str, str, int], dict[int, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        if row["split"] in TEST_SPLITS:
            scores[row["trainer"], row["arm"], row["shots"]][row["seed"]][row["task"]] = row["value"]
    table = {}
    for kind, by_seed in scores.items():
        covered = {frozenset(by_task) for by_task in by_seed.values()}
        if len(covered) > 1:
            raise ValueError(f"The seeds of {kind} do not cover the same tasks")
        members: dict[str, list[str]] = defaultdict(list)
        for task in next(iter(by_seed.values())):
            if task in group_of:
                members[group_of[task]].append(task)
            members[OVERALL].append(task)
        table[kind] = {
            group: _cell([statistics.fmean(by_task[t] for t in tasks) for by_task in by_seed.values()], len(tasks))
            for group, tasks in members.items()
        }
    return table


def _cell(means: list[float], tasks: int) -> Cell:
    sd = statistics.stdev(means) if len(means) > 1 else None
    return Cell(statistics.fmean(means), sd, len(means), tasks)
