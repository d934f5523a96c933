"""The tables of an experiment, as data and as the files beside its scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mvlpt.data import DATASET_REGISTRY
from mvlpt.errors import MvlptError
from mvlpt.experiment.search import read_search
from mvlpt.io import atomic_write
from mvlpt.report.results.formats import as_csv, as_markdown
from mvlpt.report.results.table import ResultsTable, results_table
from mvlpt.report.searches import search_sheet
from mvlpt.report.sheets import markdown

MARKDOWN, CSV = "results.md", "results.csv"


def experiment_tables(rows: Sequence[Mapping[str, Any]], tasks: Sequence[str], root: Path) -> ResultsTable:
    """The tables of all scores, with means by look; writes them as Markdown and CSV.

    They show test scores, or validation scores where the experiment has ``TEST.SPLIT val``. Below them are the
    candidates of a search for options, if there was one.

    Args:
        rows: of the experiment.
        tasks: names of all its tasks.
        root: the experiment's folder.

    Raises:
        RunFolderError: scores contradict each other, or there are none.
    """
    table = results_table(rows, groups=looks_of(tasks))
    search = read_search(root)
    chosen = f"\n{markdown(search_sheet(search))}\n" if search is not None else ""
    for name, content in ((MARKDOWN, as_markdown(table) + chosen), (CSV, as_csv(table, "scores"))):
        with atomic_write(root / name) as handle:
            handle.write(content)
    return table


def looks_of(tasks: Sequence[str]) -> dict[str, str]:
    """How the images of each task are rendered, for tasks that say so; in the order of the tasks."""
    looks = {}
    for task in tasks:
        try:
            looks[task] = str(getattr(DATASET_REGISTRY.get(task), "look", ""))
        except MvlptError:  # it was a task when its run was planned
            looks[task] = ""
    return {task: look for task, look in looks.items() if look}
