"""The last stage of an experiment: all scores in one file, and the tables of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mvlpt.data.datasets import DATASET_REGISTRY
from mvlpt.engine.results import FILE, read_results
from mvlpt.errors import MvlptError
from mvlpt.io import atomic_write
from mvlpt.report.results.formats import as_csv, as_markdown
from mvlpt.report.results.table import ResultsTable, results_table
from mvlpt.schedule import Plan

MARKDOWN, CSV = "results.md", "results.csv"


def collect(plan: Plan, root: Path) -> list[dict[str, Any]]:
    """Writes ``results.jsonl``: the scores of the plan's runs, those there are; returns them.

    Where groups overlap, a task counts in the group that serves it.
    """
    rows: list[dict[str, Any]] = []
    for job in plan:
        file = root / job.name / FILE
        if job.kind in ("features", "average", "report", "command") or not file.exists():
            continue
        serves = job.labels.get("serves")
        rows += [row for row in read_results(file) if serves is None or row["task"] in serves]
    with atomic_write(root / FILE) as handle:
        for row in rows:
            handle.write(json.dumps(row, ensure_ascii=False) + "\n")
    return rows


def tables(rows: Sequence[Mapping[str, Any]], tasks: Sequence[str], root: Path) -> ResultsTable:
    """Works the tables out and writes them as Markdown and CSV.

    Raises:
        RunFolderError: scores contradict each other, or none is of a test split.
    """
    table = results_table(rows, groups=looks_of(tasks))
    for name, text in ((MARKDOWN, as_markdown(table)), (CSV, as_csv(table, "scores"))):
        with atomic_write(root / name) as handle:
            handle.write(text)
    return table


def looks_of(tasks: Sequence[str]) -> dict[str, str]:
    """The look of each task that has one: how its images are rendered. In the order of the tasks."""
    looks = {}
    for task in tasks:
        try:
            looks[task] = str(getattr(DATASET_REGISTRY.get(task), "look", ""))
        except MvlptError:  # it was a task when its run was planned
            looks[task] = ""
    return {task: look for task, look in looks.items() if look}
