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

    @property
    def results(self) -> Path:
        """The file of its scores."""
        return self.folder / RESULTS_FILE

    def read_rows(self) -> list[dict[str, Any]]:
        """Its results that count; ``[]`` where it has none yet.

        Raises:
            RunFolderError: the file cannot be read.
        """
        rows = read_results(self.results) if self.results.exists() else []
        return [row for row in rows if self.serves is None or row["task"] in self.serves]


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
    """Every run in and below a folder, in the order of their paths; hidden folders are left out.

    Raises:
        RunFolderError: there are too many.
    """
    found = []
    for path, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if STATE_FILE in files and CONFIG_FILE in files:
            folder = Path(path)
            found.append(Run(folder, "." if folder == root else str(folder.relative_to(root))))
            folders.clear()  # what lies below belongs to the run
        if len(found) > MOST:
            raise RunFolderError(f"{root} holds more than {MOST:,} runs; name a folder of one experiment")
    return found
