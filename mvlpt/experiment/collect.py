"""Finds the scores of many runs and writes them to one file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mvlpt.engine import METRICS_FILE, RESULT_FIELDS, RESULTS_FILE, read_metrics, read_results, training_failure
from mvlpt.errors import MvlptError, RunFolderError
from mvlpt.io import atomic_write, json_text
from mvlpt.schedule import PLAN_FILE, Plan

Row = Mapping[str, Any]  # one line of results.jsonl

RUN_FILES = ("run.json", "config.yaml")  # in the folder of every run
UNSCORED = ("features", "average", "report", "command")  # kinds of jobs that leave no scores
SOURCE_FILE = "source_file"  # an extra key of a row: the file that it was read from, for messages


def find_results(folder: str | os.PathLike[str]) -> list[Path]:
    """Every ``results.jsonl`` in and below a folder, sorted by path.

    A file that lies above others, in a folder that is no run's own, was collected from them and is left out. So are
    runs of a plan within an experiment, such as those of its search for options: they serve the experiment's own runs.

    Raises:
        RunFolderError: the folder is missing or holds no results.
    """
    top = Path(folder)
    if not top.is_dir():
        raise RunFolderError(f"No folder of runs and no results file at {top}")
    found = sorted(top.rglob(RESULTS_FILE))
    above = {parent for file in found for parent in file.parent.parents}
    kept = [file for file in found if file.parent not in above or _is_run(file.parent)]
    plans = {parent for parent in above if (parent / PLAN_FILE).is_file()} if kept else set()
    kept = [file for file in kept if not any(_is_inner(plan, plans, top) for plan in plans & set(file.parents))]
    if not kept:
        raise RunFolderError(f"No {RESULTS_FILE} in or below {top}; has a run of it finished?")
    return kept


def read_scores(paths: Sequence[str | os.PathLike[str]]) -> list[Row]:
    """The rows of files, and of all runs below folders, each with its file under the key :data:`SOURCE_FILE`.

    Raises:
        RunFolderError: nothing is there, or a file cannot be read.
    """
    files: dict[Path, Path] = {}
    for path in paths:
        for file in [Path(path)] if Path(path).is_file() else find_results(path):
            files.setdefault(file.resolve(), file)
    return [{**row, SOURCE_FILE: str(file)} for file in files.values() for row in read_results(file)]


def collect_folder(folder: str | os.PathLike[str]) -> tuple[Path, int]:
    """Writes ``results.jsonl`` of a folder from the runs below it; returns the file and how many rows it holds.

    The rows are in the order of the runs' folders; what the file held before is replaced.

    Raises:
        RunFolderError: nothing is there, or the folder is a file or a run's own, whose results must stay.
    """
    top = Path(folder)
    if top.is_file():
        raise RunFolderError(f"{top} is a file; name the folder whose runs are to be collected")
    if top.is_dir() and _is_run(top):
        raise RunFolderError(f"{top} is the folder of one run, whose {RESULTS_FILE} is its own; name a folder above it")
    rows = _distinct(row for file in find_results(top) for row in read_results(file))
    return _write(rows, top), len(rows)


def collect_plan(plan: Plan, root: Path) -> list[Row]:
    """Writes ``results.jsonl`` of an experiment from those runs of its plan that have scores; returns the rows.

    Where groups overlap, a task counts in the group that serves it.

    Raises:
        RunFolderError: a run's results cannot be read.
    """
    rows: list[Row] = []
    for job in plan:
        file = root / job.name / RESULTS_FILE
        if job.kind in UNSCORED or not file.exists():
            continue
        serves = job.labels.get("serves")
        rows += [row for row in read_results(file) if serves is None or row["task"] in serves]
    _write(rows, root)
    return rows


def failed_trainings(plan: Plan, root: Path) -> list[str]:
    """The names of those runs of a plan whose training made their own images worse.

    A run whose ``metrics.csv`` cannot be read is left out: the report says so.
    """
    found = []
    for job in plan:
        file = root / job.name / METRICS_FILE
        try:
            epochs = read_metrics(file) if file.exists() else []
        except MvlptError:
            continue
        if epochs and training_failure(epochs[0], epochs[-1]):
            found.append(job.name)
    return found


def _write(rows: Iterable[Row], folder: Path) -> Path:
    """Writes rows, one line each; the file appears whole."""
    with atomic_write(folder / RESULTS_FILE) as handle:
        for row in rows:
            handle.write(json_text(row) + "\n")
    return folder / RESULTS_FILE


def _distinct(rows: Iterable[Row]) -> list[Row]:
    return list({tuple(row[field] for field in RESULT_FIELDS): row for row in rows}.values())


def _is_inner(plan: Path, plans: set[Path], top: Path) -> bool:
    """Whether a plan lies within another one, below the folder that was asked for."""
    return plan != top and any(other != plan and other in plan.parents for other in plans)


def _is_run(folder: Path) -> bool:
    return any((folder / name).exists() for name in RUN_FILES)
