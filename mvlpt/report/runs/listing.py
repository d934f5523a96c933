"""The table of run folders: chosen, sorted, and as a sheet or as records."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mvlpt.config import OPTIONS
from mvlpt.errors import ConfigError, suggest
from mvlpt.io import counted, listed
from mvlpt.report.options import as_word
from mvlpt.report.results.method import images_word
from mvlpt.report.runs.differences import differing_options, option_words
from mvlpt.report.runs.record import STATES, RunRecord
from mvlpt.report.sheets import Column, Entry, Sheet

MANY = 1  # tasks that a row names
_LAST = -math.inf

ORDERS: Mapping[str, Callable[[RunRecord], Any]] = {
    "folder": lambda run: os.fspath(run.folder),
    "state": lambda run: STATES.index(run.state),
    "trainer": lambda run: run.trainer,
    "score": lambda run: _LAST if run.score is None else run.score,
    "age": lambda run: math.inf if run.age is None else run.age,
    "size": lambda run: run.size,
    "time": lambda run: _LAST if run.seconds is None else run.seconds,
}


@dataclass(frozen=True)
class RunFilter:
    """Which runs are listed; what is empty takes all.

    Attributes:
        states: of :data:`mvlpt.report.runs.STATES`.
        trainers, tasks, arms: names; a run needs one of the tasks, by its name or as the run's options name it.
        options: option to value, as on a command line.
    """

    states: tuple[str, ...] = ()
    trainers: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    arms: tuple[str, ...] = ()
    options: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, pairs: Sequence[str] = (), **fields: Sequence[str]) -> RunFilter:
        """From lists of names and ``KEY=VALUE`` pairs.

        Raises:
            ConfigError: a pair is none, or names no option.
        """
        options = []
        for pair in pairs:
            key, equals, value = pair.partition("=")
            if not equals:
                raise ConfigError(f"--where {pair} is no KEY=VALUE, such as OPTIM.LR=0.005")
            if key.upper() not in OPTIONS and "." not in key:
                raise ConfigError(f"--where {pair}: no option is named {key}{suggest(key.upper(), OPTIONS)}")
            options.append((key.upper() if key.upper() in OPTIONS else key, value))
        return cls(options=tuple(options), **{name: tuple(values) for name, values in fields.items()})

    @property
    def unknown(self) -> tuple[str, ...]:
        """The options that are in no table: those of a plugin, or misspelt ones."""
        return tuple(key for key, _ in self.options if key not in OPTIONS)

    def takes(self, run: RunRecord) -> bool:
        """Whether a run is listed."""
        return (
            (not self.states or run.state in self.states)
            and (not self.trainers or run.trainer in self.trainers)
            and (not self.tasks or any(task.rstrip("/") in (*run.tasks, *run.task_names) for task in self.tasks))
            and all(_same(run.option(key), value) for key, value in self.options)
            and (not self.arms or run.arm in self.arms)
        )


def _same(value: Any, word: str) -> bool:
    """Whether an option's value is what a word spells."""
    if as_word(value).lower() == word.lower():
        return True
    try:
        return not isinstance(value, bool) and float(value) == float(word)
    except (TypeError, ValueError):
        return False


def sort_runs(runs: Iterable[RunRecord], order: str = "folder", reverse: bool = False) -> list[RunRecord]:
    """Runs by one of :data:`ORDERS`: scores and sizes the largest first, ages the youngest first.

    Raises:
        ConfigError: there is no such order.
    """
    if order not in ORDERS:
        raise ConfigError(f"Runs are not sorted by '{order}'{suggest(order, ORDERS)}")
    descending = order in ("score", "size", "time")
    return sorted(sorted(runs, key=ORDERS["folder"]), key=ORDERS[order], reverse=descending != reverse)


def runs_sheet(runs: Sequence[RunRecord], top: Path) -> Sheet:
    """A row for each run: folder, state, score, trainer, arm, tasks, shots, seed, age, size, options if any differ."""
    differing = {trainer: differing_options([r for r in runs if r.trainer == trainer]) for trainer in _trainers(runs)}
    left = ("folder", "state", "trainer", "arm", "tasks", "options that differ")
    titles = ("folder", "state", "score %", *left[2:5], "shots", "seed", "age", "size", left[5])
    rows = []
    for run in runs:
        words = option_words(run, differing[run.trainer])
        unknown = run.options is None
        entries = (
            _relative(run.folder, top),
            run.state,
            "" if run.score is None else f"{run.score:.1f}",
            run.trainer,
            run.arm,
            listed(run.task_names, MANY),
            "" if unknown else images_word(run.option("DATASET.NUM_SHOTS")),
            "" if unknown else str(run.option("SEED")),
            "" if run.age is None else age_word(run.age),
            size_word(run.size),
            ", ".join(f"{key} {value}" for key, value in words.items() if value != '""'),
        )
        rows.append(tuple(map(Entry, entries)))
    if rows and not any(row[-1].text for row in rows):
        titles, rows = titles[:-1], [row[:-1] for row in rows]
    counts = {state: sum(run.state == state for run in runs) for state in STATES}
    states = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    columns = tuple(Column((title,), left=title in left) for title in titles)
    return Sheet(f"{counted(len(runs), 'run')} in {top}: {states}", columns, tuple(rows))


def run_records(runs: Sequence[RunRecord]) -> list[dict[str, Any]]:
    """The same as data, unrounded, each with all of its options that are not at their defaults."""
    return [
        {
            "folder": os.fspath(run.folder),
            "state": run.state,
            "reason": run.reason,
            "run": run.identity,
            "trainer": run.trainer,
            "arm": run.arm,
            "tasks": list(run.tasks),
            "shots": None if run.options is None else run.option("DATASET.NUM_SHOTS"),
            "seed": None if run.options is None else run.option("SEED"),
            "score": run.score,
            "scores": {row["task"]: row["value"] for row in run.rows},
            "updated": run.updated.isoformat() if run.updated else None,
            "seconds": run.seconds,
            "bytes": run.size,
            "options": dict(run.options or {}),
        }
        for run in runs
    ]


def age_word(seconds: float) -> str:
    """``45 s``, ``10 min``, ``5 h``, ``12 d``: one unit."""
    for limit, unit, length in ((90, "s", 1), (90 * 60, "min", 60), (36 * 3600, "h", 3600)):
        if seconds < limit:
            return f"{max(0, seconds) / length:.0f} {unit}"
    return f"{seconds / 86400:,.0f} d"


def size_word(size: int) -> str:
    """``512 B``, ``1.2 MB``: powers of ten, as disks are sold."""
    amount, unit = float(size), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 999.5:
            break
        amount, unit = amount / 1000, larger
    return f"{amount:.0f} {unit}" if unit == "B" or amount >= 99.5 else f"{amount:.1f} {unit}"


def _trainers(runs: Sequence[RunRecord]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(run.trainer for run in runs))


def _relative(folder: Path, top: Path) -> str:
    return os.path.relpath(folder, top) if folder != top else "."
