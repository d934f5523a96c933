"""Events of an experiment: what a caller is notified of, so that the library itself prints and draws nothing.

``str(event)`` is a line for people: ``on_event=print`` shows the course of an experiment in a notebook.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mvlpt.experiment.grouping.groups import GroupingResult
    from mvlpt.experiment.search.search_file import Search
    from mvlpt.schedule import Outcome, Plan, Snapshot


@dataclass(frozen=True)
class Event:
    """Something that happened."""


@dataclass(frozen=True)
class Note(Event):
    """A line for people.

    Attributes:
        text: the line.
    """

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class OptionsChosen(Event):
    """Values of options have been chosen, and ``search.json`` is written.

    Attributes:
        search: all candidates and their scores.
        path: of the file.
    """

    search: Search
    path: Path

    def __str__(self) -> str:
        chosen = [
            f"{trainer}, {arm}: " + ", ".join(f"{key} {value}" for key, value in options.items())
            for (trainer, arm), options in self.search.choices().items()
        ]
        return f"options chosen among {len(self.search.candidates)} candidates ({self.path}): {'; '.join(chosen)}"


@dataclass(frozen=True)
class GroupsFound(Event):
    """Tasks have been grouped, and the files are written.

    Attributes:
        result: the groups and the graph.
        folder: of the files.
    """

    result: GroupingResult
    folder: Path

    def __str__(self) -> str:
        return f"{len(self.result.grouping.groups)} groups of {len(self.result.graph.tasks)} tasks: {self.folder}"


@dataclass(frozen=True)
class PlanReady(Event):
    """The plan is written to ``plan.json``; its jobs are about to run.

    Attributes:
        plan: the jobs.
        root: the experiment's folder.
        changed: the folder held no plan before, or one of other jobs.
    """

    plan: Plan
    root: Path
    changed: bool

    def __str__(self) -> str:
        return f"{len(self.plan)} jobs are planned in {self.root}"


@dataclass(frozen=True)
class NothingToRun(Event):
    """All jobs of the plan have finished before.

    Attributes:
        plan: the jobs.
    """

    plan: Plan

    def __str__(self) -> str:
        return f"all {len(self.plan)} jobs have finished; nothing was run"


@dataclass(frozen=True)
class JobsChanged(Event):
    """A job has started or ended, or about a second has passed.

    Attributes:
        snapshot: states of all jobs, slots, and the time left.
    """

    snapshot: Snapshot

    def __str__(self) -> str:
        states = Counter(record.state for record in self.snapshot.records.values())
        ended = f"{states['finished']} of {len(self.snapshot.plan)} jobs have finished"
        failed = f", {states['failed']} failed" if states["failed"] else ""
        return f"{ended}, {states['running']} running{failed}; about {self.snapshot.time_left:.0f} s left"


@dataclass(frozen=True)
class JobsEnded(Event):
    """The scheduler has stopped: nothing is left to run, or the user interrupted it.

    Attributes:
        plan: the jobs.
        root: the experiment's folder.
        outcome: how many jobs ended in which state.
    """

    plan: Plan
    root: Path
    outcome: Outcome

    def __str__(self) -> str:
        interrupted = "; interrupted" if self.outcome.interrupted else ""
        return f"{self.outcome.finished} of {len(self.plan)} jobs have finished{interrupted}"
