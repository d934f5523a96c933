"""Mean and standard deviation over seeds, of means over tasks."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from mvlpt.report.results.method import Method
from mvlpt.report.results.scores import Scores

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
