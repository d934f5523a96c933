"""What a report is about: everything that a folder of an experiment, of runs, or of one run holds, read once.

Whatever cannot be read becomes a sentence among :attr:`Content.problems`: a report on a folder that is unfinished,
partly failed or damaged says what is missing and shows the rest.
"""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from mvlpt.engine import (
    METRICS_FILE,
    STATE_FILE,
    TASK_METRICS_FILE,
    ClassResults,
    load_shipped,
    read_evaluation,
    read_metrics,
)
from mvlpt.errors import MvlptError, RunFolderError
from mvlpt.experiment import SOURCE_FILE
from mvlpt.io import read_json
from mvlpt.report.page.groupings import GroupingView, read_choices, read_groupings
from mvlpt.report.page.runs import Run, planned_runs, runs_below
from mvlpt.report.results import Method, ResultsTable, label_variants, looks_of, results_table
from mvlpt.report.runs import present_state
from mvlpt.schedule import PLAN_FILE, JobRecord, Plan, load_plan, read_records

Found = TypeVar("Found")


class Content:
    """All that the sections of a report draw from.

    Args:
        folder: of an experiment (``plan.json``), of one run (``run.json``), or above runs.
        images: show the images that the runs' evaluations name.

    Attributes:
        root: the folder.
        images: whether images are shown.
        plan: the jobs of an experiment; ``None`` for other folders.
        records: what happened to them.
        runs: those that have, or should have, scores.
        problems: what cannot be read, a sentence each.

    Raises:
        RunFolderError: the folder is missing, or holds no run and no plan.
    """

    def __init__(self, folder: str | os.PathLike[str], images: bool = True) -> None:
        self.root, self.images = Path(folder), images
        self.problems: list[str] = []
        if not self.root.is_dir():
            raise RunFolderError(f"No folder of an experiment or a run at {self.root}; name the --output-dir of one")
        self.plan: Plan | None = None
        self.records: dict[str, JobRecord] = {}
        if (self.root / PLAN_FILE).exists():
            self.plan = self.attempt(lambda: load_plan(self.root / PLAN_FILE))
        if self.plan is not None:
            plan = self.plan
            self.records = self.attempt(lambda: read_records(self.root, plan)) or {job.id: JobRecord() for job in plan}
            self.runs = planned_runs(plan, self.records, self.root)
        else:
            self.runs = runs_below(self.root)
            if not self.runs:
                raise RunFolderError(f"{self.root} holds no plan.json and no run; name the --output-dir of one")

    def attempt(self, action: Callable[[], Found]) -> Found | None:
        """What an action returns; where it fails for a reason that a user can fix, ``None`` and a problem."""
        try:
            return action()
        except MvlptError as error:
            sentence = str(error)
            if sentence not in self.problems:
                self.problems.append(sentence)
            return None

    @property
    def title(self) -> str:
        """The name of the folder."""
        return self.root.resolve().name or str(self.root.resolve())

    @property
    def is_run(self) -> bool:
        """Whether the folder is one run's own."""
        return self.plan is None and len(self.runs) == 1 and self.runs[0].folder == self.root

    @functools.cached_property
    def rows(self) -> list[Mapping[str, Any]]:
        """The lines of all results files, each with its file under ``SOURCE_FILE``; see :func:`label_variants`."""
        rows: list[Mapping[str, Any]] = []
        for run in self.runs:
            rows += [{**row, SOURCE_FILE: str(run.results)} for row in self.attempt(run.read_rows) or []]
        return label_variants(rows)

    @functools.cached_property
    def _rows_by_file(self) -> Mapping[str, list[Mapping[str, Any]]]:
        by_file: dict[str, list[Mapping[str, Any]]] = {}
        for row in self.rows:
            by_file.setdefault(row[SOURCE_FILE], []).append(row)
        return by_file

    def rows_of(self, run: Run) -> list[Mapping[str, Any]]:
        """Those of :attr:`rows` that are a run's; ``[]`` where it has none."""
        return self._rows_by_file.get(str(run.results), [])

    @functools.cached_property
    def table(self) -> ResultsTable | None:
        """The tables of results; ``None`` where there is no score yet."""
        if not self.rows:
            return None
        load_shipped()  # so that tasks say how their images look
        tasks = list(dict.fromkeys(row["task"] for row in self.rows))
        return self.attempt(lambda: results_table(self.rows, groups=looks_of(tasks)))

    @functools.cached_property
    def groupings(self) -> list[GroupingView]:
        """The groups with the matrices behind them."""
        return self.attempt_all(read_groupings(self.root))

    @functools.cached_property
    def choices(self) -> list[tuple[str, Any]]:
        """Each choice file's name and content."""
        return self.attempt_all(read_choices(self.root))

    def attempt_all(self, actions: Sequence[Callable[[], Found | None]]) -> list[Found]:
        """The results of those actions that succeed and have one."""
        return [found for action in actions if (found := self.attempt(action)) is not None]

    @functools.cached_property
    def run_records(self) -> dict[Path, Mapping[str, Any]]:
        """``run.json`` of each run that has one."""
        found = {}
        for run in self.runs:
            path = run.folder / STATE_FILE
            if path.exists():
                content = self.attempt(functools.partial(read_json, path))
                if isinstance(content, dict):
                    found[run.folder] = content
        return found

    @functools.cached_property
    def curves(self) -> dict[Path, list[dict[str, Any]]]:
        """The epochs of each run that has ``metrics.csv``."""
        return self._metrics(METRICS_FILE)

    @functools.cached_property
    def task_curves(self) -> dict[Path, list[dict[str, Any]]]:
        """The epochs and tasks of each run on several tasks."""
        return self._metrics(TASK_METRICS_FILE)

    def _metrics(self, name: str) -> dict[Path, list[dict[str, Any]]]:
        paths = {run.folder: run.folder / name for run in self.runs if (run.folder / name).exists()}
        read = {folder: self.attempt(functools.partial(read_metrics, path)) for folder, path in paths.items()}
        return {folder: rows for folder, rows in read.items() if rows}

    @functools.cached_property
    def evaluations(self) -> dict[Method, dict[str, list[ClassResults]]]:
        """What each method's runs found for the classes of each task, one entry a seed."""
        found: dict[Method, dict[str, list[ClassResults]]] = {}
        for run in self.runs:
            methods = {row["task"]: Method.of(row) for row in self.rows_of(run)}
            for task, result in (self.attempt(functools.partial(read_evaluation, run.folder)) or {}).items():
                if task in methods:
                    same = found.setdefault(methods[task], {}).setdefault(task, [result])
                    self.attempt(functools.partial(_add, result, same, run))
        return found

    @functools.cached_property
    def states(self) -> Mapping[str, int]:
        """How many jobs, or runs, are in which state; a job that writes the report itself does not count."""
        counts: dict[str, int] = {}
        if self.plan is not None:
            states = [self.records[job.id].state for job in self.plan if job.kind != "report"]
        else:
            recorded = {folder: str(record.get("state", "unknown")) for folder, record in self.run_records.items()}
            states = [present_state(run.folder, recorded.get(run.folder, "unknown")) for run in self.runs]
        for state in states:
            counts[state] = counts.get(state, 0) + 1
        return counts


def _add(result: ClassResults, same: list[ClassResults], run: Run) -> None:
    """Adds what a run found to what other runs of its method found.

    Raises:
        RunFolderError: the run has other classes.
    """
    if result.classes != same[0].classes:
        raise RunFolderError(
            f"The run in {run.folder} has other classes of task '{result.task}' than another run of its method, so its"
            " classes are not shown; name a folder without one of them"
        )
    if result is not same[0]:
        same.append(result)


@dataclasses.dataclass(frozen=True)
class Section:
    """One part of the page.

    Attributes:
        ident: its anchor, and with a capital its name in the list of sections.
        title: its heading.
        template: the name of its template, in the folder ``sections``.
        values: what the template shows.
    """

    ident: str
    title: str
    template: str
    values: Mapping[str, Any]
