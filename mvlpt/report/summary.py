"""Mean and standard deviation over seeds, of means over tasks."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mvlpt.engine.results import TEST_SPLITS

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
        return f"{self.mean:.1f}" if self.sd is None else f"{self.mean:.1f} ± {self.sd:.1f}"


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
