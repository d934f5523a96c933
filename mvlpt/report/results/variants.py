"""Tells runs apart that are one method on one task and seed, but differ in other options."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mvlpt.experiment import SOURCE_FILE
from mvlpt.report.results.method import VARIANT, Method
from mvlpt.report.runs.differences import SHOWN_ELSEWHERE, differing_options, option_words
from mvlpt.report.runs.record import STATE_FILE, read_run

MOST_OPTIONS = 3  # named in a label


def label_variants(rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Adds :data:`VARIANT` to the rows of methods of which two runs scored the same task with the same seed.

    The label names the options in which the runs of a method differ, such as ``OPTIM.LR 0.01``; where they are many,
    it is the run's folder. Rows of other methods, of runs that differ in no option and of collected files stay as they
    are.

    Args:
        rows: lines of ``results.jsonl`` with their :data:`SOURCE_FILE`.
    """
    rows = list(rows)
    by_method: dict[Method, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        by_method[Method.of(row)].append(row)
    labels: dict[str, str] = {}
    for some in by_method.values():
        if _is_ambiguous(some):
            labels |= _labels({str(row[SOURCE_FILE]) for row in some if row.get(SOURCE_FILE)})
    return [{**row, VARIANT: labels[row[SOURCE_FILE]]} if row.get(SOURCE_FILE) in labels else row for row in rows]


def _is_ambiguous(rows: Iterable[Mapping[str, Any]]) -> bool:
    """Whether two runs of other options scored one task with one seed."""
    runs: dict[tuple[Any, ...], str] = {}
    keys = ("task", "seed", "split", "metric", "group")
    return any(runs.setdefault(tuple(row[key] for key in keys), row["run"]) != row["run"] for row in rows)


def _labels(files: Iterable[str]) -> dict[str, str]:
    """The label of the run of each file; empty where they differ in no option or where a run's options are unknown."""
    folders = {file: Path(file).parent for file in files}
    if not all((folder / STATE_FILE).is_file() for folder in folders.values()):
        return {}
    runs = {file: read_run(folder) for file, folder in sorted(folders.items())}
    keys = differing_options(list(runs.values()), SHOWN_ELSEWHERE)
    if not keys:
        return {}
    if len(keys) > MOST_OPTIONS:
        return {file: str(folder) for file, folder in folders.items()}
    words = {file: option_words(run, keys) for file, run in runs.items()}
    return {file: ", ".join(f"{key} {value}" for key, value in by_key.items()) for file, by_key in words.items()}
