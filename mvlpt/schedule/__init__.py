"""Plans of jobs and their execution: journal, scheduler, executors. Knows nothing of what the jobs do."""

import importlib
import warnings
from typing import Any

from mvlpt.schedule.attempts import OUTPUT, PROGRESS, RESULT, Attempt, AttemptResult, RunCommand, attempt_folder
from mvlpt.schedule.control import request
from mvlpt.schedule.corrections import corrected_plan
from mvlpt.schedule.executors import (
    EXECUTORS,
    Executor,
    ExecutorSpec,
    check_executor,
    executor_spec,
    make_executor,
    planned_slots,
    register_executor,
)
from mvlpt.schedule.jobs import KINDS, Job, Plan, job_id
from mvlpt.schedule.journal import read_events, read_records
from mvlpt.schedule.lock import check_free, holder, is_running
from mvlpt.schedule.plan_file import FILE as PLAN_FILE
from mvlpt.schedule.plan_file import load_plan, save_plan
from mvlpt.schedule.priorities import lower_bound, upward_ranks
from mvlpt.schedule.records import STATES, JobRecord, Outcome, Snapshot
from mvlpt.schedule.retry import SchedulerOptions
from mvlpt.schedule.run import RunOptions, run_plan
from mvlpt.schedule.scheduler import Scheduler
from mvlpt.schedule.simulation import simulate
from mvlpt.schedule.slots import MOST_SLOTS, Slot, cpu_slots, local_slots
from mvlpt.schedule.trusted_plans import check_trust, foreign_jobs, trust

__all__ = [
    "EXECUTORS",
    "KINDS",
    "MOST_SLOTS",
    "OUTPUT",
    "PLAN_FILE",
    "PROGRESS",
    "RESULT",
    "STATES",
    "Attempt",
    "AttemptResult",
    "Executor",
    "ExecutorSpec",
    "Job",
    "JobRecord",
    "Outcome",
    "Plan",
    "RunCommand",
    "RunOptions",
    "Scheduler",
    "SchedulerOptions",
    "Slot",
    "Snapshot",
    "attempt_folder",
    "check_executor",
    "check_free",
    "check_trust",
    "corrected_plan",
    "cpu_slots",
    "executor_spec",
    "foreign_jobs",
    "holder",
    "is_running",
    "job_id",
    "load_plan",
    "local_slots",
    "lower_bound",
    "make_executor",
    "planned_slots",
    "read_events",
    "read_records",
    "register_executor",
    "request",
    "run_plan",
    "save_plan",
    "simulate",
    "trust",
    "upward_ranks",
]

# Former names, now in a room above this one: imported by name only when they are used, as nothing here depends on them.
_MOVED = {"Experiment": "mvlpt.experiment", "load_experiment": "mvlpt.experiment"}


def __getattr__(name: str) -> Any:
    if name not in _MOVED:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    warnings.warn(f"mvlpt.schedule.{name} is now {_MOVED[name]}.{name}", DeprecationWarning, stacklevel=2)
    return getattr(importlib.import_module(_MOVED[name]), name)
