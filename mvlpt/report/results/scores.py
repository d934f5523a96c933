"""Test scores by method and task, checked for contradictions; every table of results starts from here."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mvlpt.errors import RunFolderError
from mvlpt.experiment import SOURCE_FILE
from mvlpt.report.results.method import Method
from mvlpt.report.results.split import VALIDATION


@dataclass(frozen=True)
class Scores:
    """The values of every method on every task; what is absent is absent.

    Attributes:
        methods: in the order of the tables.
        tasks: in the order of the tables.
        values: (method, task) to seed to value, percent; at least one seed.
        metric: task to the name of its metric.
        higher_is_better: task to the direction of its metric.
        split: task to the split it was measured on.
    """

    methods: tuple[Method, ...]
    tasks: tuple[str, ...]
    values: Mapping[tuple[Method, str], Mapping[int, float]]
    metric: Mapping[str, str]
    higher_is_better: Mapping[str, bool]
    split: Mapping[str, str]

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Any]], split_groups: bool = False) -> Scores:
        """Sorts rows of ``results.jsonl`` of one split; see :func:`mvlpt.report.results.split.one_split`.

        Raises:
            RunFolderError: two rows contradict each other, a value is not a finite number, or a task was measured in
                two ways that do not compare.
        """
        found: dict[tuple[Method, str], dict[int, Mapping[str, Any]]] = defaultdict(dict)
        first: dict[str, Mapping[str, Any]] = {}
        for row in rows:
            method, task = Method.of(row, split_groups), row["task"]
            if isinstance(row["value"], bool) or not isinstance(row["value"], (int, float)) or not _finite(row):
                raise RunFolderError(f"The value of {_described(row, method)} is {row['value']!r}, not a number")
            _check_measure(first.setdefault(task, row), row)
            held = found[method, task].setdefault(row["seed"], row)
            if not math.isclose(held["value"], row["value"], rel_tol=0, abs_tol=1e-6):
                raise RunFolderError(_contradiction(held, row, method))
        return cls(
            methods=tuple(sorted({method for method, _ in found}, key=lambda method: method.order)),
            tasks=tuple(sorted(first)),
            values={
                key: {seed: float(by_seed[seed]["value"]) for seed in sorted(by_seed)} for key, by_seed in found.items()
            },
            metric={task: row["metric"] for task, row in first.items()},
            higher_is_better={task: bool(row["higher_is_better"]) for task, row in first.items()},
            split={task: row["split"] for task, row in first.items()},
        )

    @property
    def kind(self) -> str:
        """``test`` or ``validation``, for titles."""
        return "validation" if VALIDATION in self.split.values() else "test"

    def mean(self, method: Method, task: str) -> float | None:
        """Over seeds; ``None`` where there is no score."""
        by_seed = self.values.get((method, task))
        return float(np.mean(list(by_seed.values()))) if by_seed else None

    def seeds(self, method: Method) -> tuple[int, ...]:
        """All seeds of a method, over all tasks."""
        return tuple(sorted({seed for (m, _), by_seed in self.values.items() if m == method for seed in by_seed}))

    def tasks_of(self, method: Method) -> tuple[str, ...]:
        """The tasks that the method has a score for."""
        return tuple(task for task in self.tasks if (method, task) in self.values)

    def common_tasks(self, methods: Sequence[Method]) -> tuple[str, ...]:
        """The tasks that all of ``methods`` have a score for."""
        return tuple(task for task in self.tasks if all((method, task) in self.values for method in methods))

    def gain(self, method: Method, other: Method, task: str) -> float | None:
        """How much better ``method`` is than ``other``, points; positive is better whatever the metric's direction."""
        mine, theirs = self.mean(method, task), self.mean(other, task)
        if mine is None or theirs is None:
            return None
        return mine - theirs if self.higher_is_better[task] else theirs - mine


def _finite(row: Mapping[str, Any]) -> bool:
    return math.isfinite(row["value"])


def _source(row: Mapping[str, Any]) -> str:
    return f" ({row[SOURCE_FILE]})" if row.get(SOURCE_FILE) else ""


def _described(row: Mapping[str, Any], method: Method) -> str:
    return f"{method} on task '{row['task']}', seed {row['seed']}{_source(row)}"


def _check_measure(held: Mapping[str, Any], row: Mapping[str, Any]) -> None:
    for key, option in (("metric", "--metric"), ("split", "--split"), ("higher_is_better", "--metric")):
        if held[key] != row[key]:
            raise RunFolderError(
                f"Task '{row['task']}' was measured with {key} '{held[key]}'{_source(held)} and"
                f" '{row[key]}'{_source(row)}, which do not compare; choose one with {option}"
            )


def _contradiction(held: Mapping[str, Any], row: Mapping[str, Any], method: Method) -> str:
    """Names both rows and where they differ."""
    values = []
    for one in (held, row):
        details = [str(one[SOURCE_FILE])] if one.get(SOURCE_FILE) else []
        details += [f"{key} {one[key]}" for key in ("run", "epoch", "group") if held[key] != row[key]]
        values.append(f"{one['value']:g} ({', '.join(details) or 'the same run'})")
    remedy = "take one of them out, or choose with --trainer, --arm or --shots"
    if held["group"] != row["group"]:
        remedy = "separate the groups of an arm with --split-groups"
    return (
        f"{method} on task '{row['task']}', seed {row['seed']}, has two values: {values[0]} and {values[1]}; {remedy}"
    )
