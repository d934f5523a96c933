"""The runs that a report is about, found by a plan or by their folders."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mvlpt.engine import CONFIG_FILE, RESULTS_FILE, STATE_FILE, read_results
from mvlpt.errors import RunFolderError
from mvlpt.schedule import JobRecord, Plan

SCORED = ("train", "adapt", "evaluate")  # kinds of jobs that leave scores
MOST = 20_000  # runs that are looked for below a folder


@dataclass
class Run:
    """One run.

    Attributes:
        folder: its own.
        name: its folder, relative to the one that the report is about.
        serves: the tasks whose scores count; ``None`` for all that it scored.
        labels: what its job says of it (trainer, arm, shots, seed, tasks); empty without a plan.
        state: of its job; empty without a plan.
        command: that makes it; empty without a plan.
        tested: whether scores are expected of it; a prompt that is only adapted further is not tested.
    """

    folder: Path
    name: str
    serves: Sequence[str] | None = None
    labels: Mapping[str, Any] = field(default_factory=dict)
    state: str = ""
    command: str = ""
    tested: bool = True
    _rows: list[dict[str, Any]] | None = None

    def read_rows(self, name: str = RESULTS_FILE) -> list[dict[str, Any]]:
        """Its results that count; ``[]`` where it has none yet.

        Raises:
            RunFolderError: the file cannot be read.
        """
        if self._rows is None:
            path = self.folder / name
            self._rows = []
            if path.exists():
                self._rows = [row for row in read_results(path) if self.serves is None or row["task"] in self.serves]
        return self._rows

    def scored_rows(self) -> list[dict[str, Any]]:
        """The results, read before or now."""
        return self.read_rows()


def planned_runs(plan: Plan, records: Mapping[str, JobRecord], root: Path) -> list[Run]:
    """The runs of a plan that leave scores, whether or not they have run."""
    return [
        Run(
            folder=root / job.name,
            name=job.name,
            serves=job.labels.get("serves"),
            labels=job.labels,
            state=records[job.id].state,
            command=job.shell,
            tested=not job.outputs or f"{job.name}/{RESULTS_FILE}" in job.outputs,
        )
        for job in plan
        if job.kind in SCORED
    ]


def runs_below(root: Path) -> list[Run]:
    """Every run in and below a folder, in the order of their paths.

    Raises:
        RunFolderError: there are too many.
    """
    found = []
    for path, folders, files in os.walk(root):
        folders.sort()
        if STATE_FILE in files and CONFIG_FILE in files:
            folder = Path(path)
            found.append(Run(folder, "." if folder == root else str(folder.relative_to(root))))
            folders.clear()  # what lies below belongs to the run
        if len(found) > MOST:
            raise RunFolderError(f"{root} holds more than {MOST:,} runs; name a folder of one experiment")
    return found
