"""Runs the jobs of a plan, unless all of them have finished."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from mvlpt.experiment.events import Event, JobsChanged, JobsEnded, NothingToRun
from mvlpt.schedule import Plan, RunCommand, RunOptions, read_records, run_plan


def run_jobs(
    plan: Plan, root: Path, options: RunOptions, run_command: RunCommand | None, on_event: Callable[[Event], None]
) -> Literal["finished", "incomplete", "interrupted"]:
    """Runs what has not been run; for a plan that has finished nothing is started."""
    if has_finished(plan, root):
        on_event(NothingToRun(plan))
        return "finished"
    outcome = run_plan(
        plan,
        root,
        options,
        run_command=run_command,
        listener=lambda snapshot: on_event(JobsChanged(snapshot)),
    )
    on_event(JobsEnded(plan, root, outcome))
    if outcome.interrupted:
        return "interrupted"
    return "finished" if outcome.finished == len(plan) else "incomplete"


def has_finished(plan: Plan, root: Path) -> bool:
    """Whether every job has finished and its outputs are still there."""
    records = read_records(root, plan)
    complete = all((root / path).exists() for job in plan for path in job.outputs)
    return complete and all(record.state == "finished" for record in records.values())
