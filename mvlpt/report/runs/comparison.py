"""Compares runs or folders of runs: scores by task, paired tests, images that changed sides."""

from __future__ import annotations

import shlex
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from mvlpt.errors import ConfigError
from mvlpt.io import listed
from mvlpt.report.results.method import Method
from mvlpt.report.results.paired_test import holm, paired_test
from mvlpt.report.results.selection import Selection
from mvlpt.report.runs.changed_images import ImageChanges, UnitChange, image_changes
from mvlpt.report.runs.compared import Option, Side, read_sides
from mvlpt.report.runs.paired import sign_flip_test, sign_test


@dataclass(frozen=True)
class TaskLine:
    """The scores of one method on one task.

    Attributes:
        method: ``None`` where each side has only one.
        task: its name.
        metric: its metric.
        higher_is_better: how to read the scores.
        means: over seeds, of each side, percent; ``None`` where it has no score.
        gains: how much better each side is than the first, points; ``None`` for the first and where one is missing.
        seeds: the number of seeds paired.
    """

    method: Method | None
    task: str
    metric: str
    higher_is_better: bool
    means: tuple[float | None, ...]
    gains: tuple[float | None, ...]
    seeds: int


@dataclass(frozen=True)
class SideTest:
    """A paired test of two sides.

    Attributes:
        first, second: their labels.
        test: what it is called.
        over: what is paired: ``tasks``, ``seeds`` or ``images``.
        n: how many pairs.
        better, worse: in how many of them the second side is better, or worse.
        mean: gain of the second side, points; ``None`` for images.
        p: two-sided; ``None`` where no pair differs.
        p_holm: corrected for the tests of this kind, where there are several sides.
    """

    first: str
    second: str
    test: str
    over: str
    n: int
    better: int
    worse: int
    mean: float | None
    p: float | None
    p_holm: float | None = None


@dataclass(frozen=True)
class Comparison:
    """What :func:`compare_runs` found; the first side is the one that others are compared with."""

    sides: tuple[Side, ...]
    options: tuple[Option, ...]
    lines: tuple[TaskLine, ...]
    tests: tuple[SideTest, ...]
    changes: tuple[ImageChanges, ...]
    notes: tuple[str, ...]

    def mean(self, side: int) -> float | None:
        """The mean over the lines that every side has a score for; ``None`` if metrics point both ways."""
        if not self._common or len({line.higher_is_better for line in self._common}) > 1:
            return None
        return statistics.fmean(line.means[side] for line in self._common)

    def mean_gain(self, side: int) -> float | None:
        """The mean gain of a side over the first, over the same lines; ``None`` where there are none."""
        return statistics.fmean(line.gains[side] for line in self._common) if self._common else None

    @property
    def _common(self) -> list[TaskLine]:
        return [line for line in self.lines if None not in line.means]


def compare_runs(paths: Sequence[str], select: Selection | None = None) -> Comparison:
    """Compares runs, or folders of runs, the first with each of the others.

    Scores are paired by task and seed, and by method where a folder holds several methods. Tests are over tasks, whose
    seeds are averaged first; with one task they are over seeds.

    Args:
        paths: folders, or files of results.
        select: what to look at.

    Raises:
        ConfigError: there are fewer than two, or nothing that two of them share.
        RunFolderError: one has no scores, or contradicting ones.
    """
    sides, options = read_sides(paths, select)
    lines = _lines(sides)
    for index, side in enumerate(sides[1:], start=1):
        if all(line.gains[index] is None for line in lines):
            if any(line.method for line in lines):
                same, remedy = " by the same method", "choose with --trainer, --arm or --shots, or name single runs"
            else:
                tasks = (listed(sorted({unit.task for unit in one.rows}), 3) for one in (sides[0], side))
                same, remedy = "", f"name runs with a task in common, not {' and '.join(tasks)}"
            raise ConfigError(
                f"{sides[0].path} and {side.path} have no score of the same task{same}, so there is nothing to compare;"
                f" {remedy}"
            )
    changes = tuple(image_changes(sides[0], side) for side in sides[1:])
    tests = _tests(sides, lines, changes)
    return Comparison(tuple(sides), tuple(options), lines, tests, changes, tuple(_notes(sides, lines, changes)))


def _lines(sides: Sequence[Side]) -> tuple[TaskLine, ...]:
    keys = dict.fromkeys((unit.method, unit.task) for side in sides for unit in side.rows)
    ordered = sorted(keys, key=lambda key: (() if key[0] is None else key[0].order, key[1]))
    lines = []
    for method, task in ordered:
        by_side = [
            {unit.seed: row for unit, row in side.rows.items() if (unit.method, unit.task) == (method, task)}
            for side in sides
        ]
        first = next(row for rows in by_side for row in rows.values())
        for rows in by_side:
            for row in rows.values():
                if (row["metric"], row["split"]) != (first["metric"], first["split"]):
                    raise ConfigError(
                        f"Task '{task}' was measured by {first['metric']} on {first['split']} and by {row['metric']} on"
                        f" {row['split']}, which do not compare; choose with --metric or --split"
                    )
        values = [{seed: row["value"] for seed, row in rows.items()} for rows in by_side]
        sign = 1 if first["higher_is_better"] else -1
        gains = [None, *(_gain(values[0], other, sign) for other in values[1:])]
        means = tuple(statistics.fmean(one.values()) if one else None for one in values)
        shared = set.intersection(*(set(one) for one in values))
        lines.append(TaskLine(method, task, first["metric"], sign > 0, means, tuple(gains), len(shared) or 1))
    return tuple(lines)


def _gain(first: dict[int, float], other: dict[int, float], sign: int) -> float | None:
    """Over the seeds that both have; where they share none, of their means."""
    seeds = first.keys() & other.keys()
    if seeds:
        return sign * statistics.fmean(other[seed] - first[seed] for seed in seeds)
    return sign * (statistics.fmean(other.values()) - statistics.fmean(first.values())) if first and other else None


def _tests(sides: Sequence[Side], lines: Sequence[TaskLine], changes: Sequence[ImageChanges]) -> tuple[SideTest, ...]:
    tests: list[SideTest] = []
    for index, side in enumerate(sides[1:], start=1):
        gains, over = [line.gains[index] for line in lines if line.gains[index] is not None], "tasks"
        if len(gains) == 1:
            by_seed = _seed_gains(sides[0], side, lines)
            gains, over = (by_seed, "seeds") if len(by_seed) > 1 else (gains, over)
        found = paired_test(gains)
        shared = (found.n, found.better, found.worse, found.mean)
        pair = (sides[0].label, side.label)
        if len(gains) > 1:
            tests.append(SideTest(*pair, "Wilcoxon signed-rank", over, *shared, found.p))
            tests.append(SideTest(*pair, "sign flips of the mean", over, *shared, sign_flip_test(gains)))
            tests.append(SideTest(*pair, "sign", over, *shared, sign_test(found.better, found.worse)))
        change = changes[index - 1]
        if change.units:
            seeds = {unit.unit.seed for unit in change.units}
            n = sum(_images(unit) for unit in {(u.unit.method, u.unit.task): u for u in change.units}.values())
            name = "McNemar" if len(seeds) == 1 else "sign, over seeds"
            tests.append(SideTest(*pair, name, "images", n, change.better, change.worse, None, change.p))
    if len(sides) == 2:
        return tuple(tests)
    corrected: dict[str, list[float | None]] = {}
    for name in {test.test for test in tests}:
        corrected[name] = holm([test.p for test in tests if test.test == name])
    return tuple(_with_holm(test, corrected[test.test].pop(0)) for test in tests)


def _with_holm(test: SideTest, p: float | None) -> SideTest:
    return SideTest(**{**vars(test), "p_holm": p})


def _images(change: UnitChange) -> int:
    return change.both + change.neither + len(change.images)


def _seed_gains(first: Side, second: Side, lines: Sequence[TaskLine]) -> list[float]:
    signs = {(line.method, line.task): 1 if line.higher_is_better else -1 for line in lines}
    shared = [unit for unit in first.rows if unit in second.rows]
    return [signs[unit.method, unit.task] * (second.rows[unit]["value"] - first.rows[unit]["value"]) for unit in shared]


def _notes(sides: Sequence[Side], lines: Sequence[TaskLine], changes: Sequence[ImageChanges]) -> list[str]:
    notes = []
    partly = [line for line in lines if None in line.means]
    if partly:
        notes.append(f"{len(partly)} of {len(lines)} lines lack a score of some run; means leave them out")
    if any(not {u.seed for u in sides[0].rows} & {u.seed for u in side.rows} for side in sides[1:]):
        notes.append("The runs share no seed: differences include that of the seeds")
    if any(not line.higher_is_better for line in lines):
        lower = ", ".join(sorted({line.task for line in lines if not line.higher_is_better}))
        notes.append(f"Lower is better on {lower}; gains are positive where a run is better")
    missing = dict.fromkeys(folder for change in changes for folder in change.missing)
    if missing:
        folder = next(iter(missing))
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        notes.append(
            f"Which images changed sides is not known: {folder}{more} recorded no predictions. To record them:"
            f" {recording_command(folder)} ; then compare the new folders. A new run or experiment records them with"
            " TEST.PREDICTIONS True"
        )
    unequal = dict.fromkeys(task for change in changes for task in change.unequal)
    if unequal:
        notes.append(f"The test images of {', '.join(unequal)} are not the same in all runs")
    return notes


def recording_command(folder: str) -> str:
    """The command that evaluates a run again and records its predictions."""
    run, new = shlex.quote(folder), shlex.quote(f"{folder}-predictions")
    return (
        f"mvlpt train --config-file {shlex.quote(f'{folder}/config.yaml')} --eval-only --model-dir {run}"
        f" --output-dir {new} TEST.PREDICTIONS True"
    )
