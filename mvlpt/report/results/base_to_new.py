"""Base and new classes side by side, and their harmonic mean."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Mapping, Sequence

from mvlpt.report.results.method import Method
from mvlpt.report.results.scores import Scores
from mvlpt.report.results.summary import Cell


def harmonic_mean(base: float, new: float) -> float:
    """2 / (1/base + 1/new); 0 where either is 0."""
    return 2 * base * new / (base + new) if base > 0 and new > 0 else 0.0


def base_to_new(scores: Scores, methods: Sequence[Method] | None = None) -> dict[Method, tuple[Cell, Cell, Cell]]:
    """For each trainer, by its base method: base, new and their harmonic mean (Xian et al. 2017), over its tasks.

    The harmonic mean is that of the two means over tasks of a seed, as CoCoOp's table of averages has it; then mean and
    deviation over the seeds that have every task.

    Args:
        scores: all of them.
        methods: those shown; by default all.
    """
    found, shown = {}, scores.methods if methods is None else methods
    for method in shown:
        other = dataclasses.replace(method, arm="new")
        if method.arm != "base" or other not in shown:
            continue
        tasks = scores.common_tasks((method, other))
        by_seed = [_means(scores, one, tasks) for one in (method, other)]
        seeds = sorted(by_seed[0].keys() & by_seed[1].keys())
        if tasks and seeds:
            pairs = [(by_seed[0][seed], by_seed[1][seed]) for seed in seeds]
            columns = (*zip(*pairs, strict=True), [harmonic_mean(*pair) for pair in pairs])
            found[method] = tuple(_cell(column, len(tasks)) for column in columns)
    return found


def _means(scores: Scores, method: Method, tasks: tuple[str, ...]) -> Mapping[int, float]:
    """Seed to the mean over tasks, for the seeds that have them all."""
    values = [scores.values[method, task] for task in tasks]
    seeds = set.intersection(*(set(by_seed) for by_seed in values)) if values else set()
    return {seed: statistics.fmean(by_seed[seed] for by_seed in values) for seed in seeds}


def _cell(column: tuple[float, ...] | list[float], tasks: int) -> Cell:
    sd = statistics.stdev(column) if len(column) > 1 else None
    return Cell(statistics.fmean(column), sd, len(column), tasks)
