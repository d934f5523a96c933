"""What is compared: runs, or folders of runs, each with its scores and its options."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mvlpt.errors import ConfigError, RunFolderError
from mvlpt.experiment import SOURCE_FILE, read_scores
from mvlpt.report.results.method import Method
from mvlpt.report.results.selection import Selection
from mvlpt.report.results.split import one_split
from mvlpt.report.runs.differences import differing_options, option_words
from mvlpt.report.runs.record import STATE_FILE, RunRecord, read_run

MOST_VALUES = 3  # of an option within one folder that are shown


@dataclass(frozen=True)
class Unit:
    """What is paired: the score of a method, a task and a seed. ``method`` is ``None`` where a side has only one."""

    method: Method | None
    task: str
    seed: int


@dataclass(frozen=True)
class Side:
    """A run or a folder of runs.

    Attributes:
        path: as given.
        label: its name in tables.
        runs: the runs that its scores come from; empty for a file of collected scores.
        rows: its scores, one for each unit.
    """

    path: str
    label: str
    runs: tuple[RunRecord, ...]
    rows: Mapping[Unit, Mapping[str, Any]]


@dataclass(frozen=True)
class Option:
    """An option in which sides differ, and its value on each of them."""

    key: str
    values: tuple[str, ...]


def read_sides(paths: Sequence[str], select: Selection | None = None) -> tuple[list[Side], list[Option]]:
    """The sides of a comparison, and the options in which they differ.

    Where every side has one method, it is no part of the pairing: then two trainers can be compared.

    Raises:
        ConfigError: fewer than two sides, or one twice; the selection names something that has no scores.
        RunFolderError: a side has no scores, or contradicting ones.
    """
    if len({os.path.realpath(path) for path in paths}) < len(paths):
        raise ConfigError("A run is named twice; name runs that differ")
    if len(paths) < 2:
        raise ConfigError("There is only one run to compare; name two or more")
    chosen = [_chosen(path, select or Selection()) for path in paths]
    if len({_kind(rows) for rows in chosen}) > 1:
        raise ConfigError("Some runs have test scores, others validation scores only; these do not compare")
    one_method = all(len({Method.of(row) for row in rows}) == 1 for rows in chosen)
    runs = [_runs(rows) for rows in chosen]
    options = _options(runs)
    labels = _labels(paths, options)
    sides = [
        Side(path, label, tuple(its_runs), _units(path, rows, one_method))
        for path, label, its_runs, rows in zip(paths, labels, runs, chosen, strict=True)
    ]
    return sides, options


def _chosen(path: str, select: Selection) -> list[Mapping[str, Any]]:
    if (Path(path) / STATE_FILE).is_file() and not list(Path(path).rglob("results.jsonl")):
        run = read_run(path)
        why = f" ({run.reason})" if run.reason else ""
        raise RunFolderError(f"The run {path} is {run.state}{why} and has no scores; name one that has")
    rows, _ = one_split(select.rows(read_scores([path])), select.splits)
    rows = [row for row in rows if select.shows(Method.of(row))]
    if not rows:
        raise RunFolderError(f"{path} holds no score of what was asked for; has a run of it finished?")
    return rows


def _kind(rows: Sequence[Mapping[str, Any]]) -> bool:
    return any(row["split"] == "val" for row in rows)


def _runs(rows: Sequence[Mapping[str, Any]]) -> list[RunRecord]:
    folders = dict.fromkeys(Path(row[SOURCE_FILE]).parent for row in rows)
    return [read_run(folder) for folder in folders if (folder / STATE_FILE).is_file()]


def _units(path: str, rows: Sequence[Mapping[str, Any]], one_method: bool) -> dict[Unit, Mapping[str, Any]]:
    units: dict[Unit, Mapping[str, Any]] = {}
    for row in rows:
        unit = Unit(None if one_method else Method.of(row), row["task"], row["seed"])
        held = units.setdefault(unit, row)
        if held["value"] != row["value"]:
            raise RunFolderError(
                f"{path} holds two scores of {Method.of(row)} on task '{unit.task}', seed {unit.seed}:"
                f" {held['value']:g} ({held[SOURCE_FILE]}) and {row['value']:g} ({row[SOURCE_FILE]}); compare these"
                " runs themselves, or choose with --trainer, --arm or --shots"
            )
    return units


def _options(runs: Sequence[Sequence[RunRecord]]) -> list[Option]:
    """Those whose values are not the same on all sides; within a side there may be several."""
    keys = differing_options([run for side in runs for run in side], without=("RUN.GROUP",))
    options = []
    for key in keys:
        values = [frozenset(option_words(run, [key])[key] for run in side) for side in runs]
        if len({value for value in values if value}) > 1:
            options.append(Option(key, tuple(map(_shown, values))))
    return options


def _shown(words: frozenset[str]) -> str:
    distinct = sorted(words)
    shown = " | ".join(distinct[:MOST_VALUES])
    return shown + (f" | … ({len(distinct)})" if len(distinct) > MOST_VALUES else "")


def _labels(paths: Sequence[str], options: Sequence[Option]) -> list[str]:
    """The value of the only option that differs, else as many last parts of the paths as tell them apart."""
    if len(options) == 1 and len(set(options[0].values)) == len(paths):
        return [f"{options[0].key} {value}" for value in options[0].values]
    parts = [Path(os.path.abspath(path)).parts for path in paths]
    for count in range(1, max(map(len, parts)) + 1):
        labels = ["/".join(path[-count:]) for path in parts]
        if len(set(labels)) == len(labels):
            return labels
    return list(paths)
