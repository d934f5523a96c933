"""Requests of other processes: cancel a job, or try one again."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from mvlpt.errors import MvlptError, ScheduleError, suggest
from mvlpt.io import read_json, write_json
from mvlpt.schedule.jobs import Plan
from mvlpt.schedule.journal import Journal, apply, mark_blocked, read_records
from mvlpt.schedule.lock import FolderTakenError, SchedulerLock
from mvlpt.schedule.plan_file import FILE as PLAN_FILE
from mvlpt.schedule.plan_file import load_plan
from mvlpt.schedule.records import JobRecord

FOLDER = "control"
ACTIONS = ("cancel", "retry")
_OVER = ("failed", "cancelled")


@dataclass(frozen=True)
class Request:
    """One of :data:`ACTIONS`, for a job, and the file that holds it."""

    action: str
    job_id: str
    path: Path


def request(root: str | os.PathLike[str], action: str, job: str) -> bool:
    """Asks for a job to be cancelled, with all that need it, or to be tried again, its attempts counted anew.

    Args:
        root: the plan's folder.
        action: one of :data:`ACTIONS`.
        job: id, beginning of an id, or name.

    Returns:
        True where no scheduler runs and the journal says it now; False where the running scheduler will see to it, or
        the next one, if the job was under way when its scheduler died.

    Raises:
        PlanError: there is no plan, or no such job.
        ScheduleError: an unknown action, or the folder cannot be written.
    """
    if action not in ACTIONS:
        raise ScheduleError(f"No request '{action}'{suggest(action, ACTIONS)}")
    folder = Path(root)
    plan = load_plan(folder / PLAN_FILE)
    ident = plan.find(job).id
    write_json({"action": action, "job": ident}, folder / FOLDER / f"{time.time_ns()}-{os.getpid()}.json")
    try:
        with SchedulerLock(folder), closing(Journal(folder)) as journal:
            records = read_records(folder, plan)
            left = [one for one in pending(folder) if carry_out_request(one, plan, records, journal)]
            return not any(one.job_id == ident for one in left)
    except FolderTakenError:
        return False


def pending(root: Path) -> list[Request]:
    """Requests that nobody has seen to, the oldest first; files that hold none are removed."""
    try:
        names = sorted(entry.name for entry in os.scandir(root / FOLDER) if entry.name.endswith(".json"))
    except OSError:
        return []
    found = []
    for name in names:
        if name.startswith("."):
            continue
        path = root / FOLDER / name
        try:
            record = read_json(path)
            found.append(Request(str(record["action"]), str(record["job"]), path))
        except (MvlptError, KeyError, TypeError):
            with suppress(OSError):
                path.unlink()
    return found


def carry_out_request(one: Request, plan: Plan, records: Mapping[str, JobRecord], journal: Journal) -> list[str]:
    """Brings records and journal up to date with a request, and removes its file.

    Returns:
        ids of jobs that are running and must be stopped first; where there are any, the file stays.
    """
    running: list[str] = []
    if one.job_id in plan:
        name = plan[one.job_id].name
        changed = _retried(plan, records, one.job_id) if one.action == "retry" else []
        if one.action == "cancel":
            affected = [one.job_id, *plan.dependants(one.job_id)]
            running = [ident for ident in affected if records[ident].state == "running"]
            changed = [ident for ident in affected if records[ident].state in ("waiting", "blocked")]
        state = "waiting" if one.action == "retry" else "cancelled"
        for ident in changed:
            reason = "cancelled" if ident == one.job_id else f"needs '{name}', which was cancelled"
            facts = {"reason": reason} if state == "cancelled" else {"reason": "to be tried again", "failures": 0}
            apply(records[ident], journal.add("state", job=ident, state=state, **facts))
        mark_blocked(plan, records)
    if not running:
        one.path.unlink(missing_ok=True)
    return running


def _retried(plan: Plan, records: Mapping[str, JobRecord], ident: str) -> list[str]:
    """The jobs that must be tried again so that this one can be: itself, those it waits for in vain, and those that
    were cancelled because they need it."""
    found, queue = set(), [ident]
    while queue:
        current = queue.pop()
        record = records[current]
        if current in found or record.state in ("finished", "running"):
            continue
        if record.state in _OVER or record.retry_at:
            found.add(current)
        queue.extend(plan[current].needs)
    if records[ident].state == "cancelled":
        found |= {after for after in plan.dependants(ident) if records[after].state == "cancelled"}
    return sorted(found)
