"""Requests of other processes: cancel a job, or retry one."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from mvlpt.errors import ScheduleError, suggest
from mvlpt.io import read_json, write_json
from mvlpt.schedule.attempts import may_pass, quarantine
from mvlpt.schedule.jobs import Plan
from mvlpt.schedule.journal import Journal, apply, mark_blocked, read_records
from mvlpt.schedule.lock import FolderTakenError, SchedulerLock
from mvlpt.schedule.plan_file import FILE as PLAN_FILE
from mvlpt.schedule.plan_file import load_plan
from mvlpt.schedule.records import JobRecord

log = logging.getLogger(__name__)

FOLDER = "control"
LARGEST = 65536  # bytes; a request is far smaller
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
        True where no scheduler runs and the request is in the journal now; False where the running scheduler will
        handle it, or the next one, if the job was running when its scheduler died.

    Raises:
        PlanError: there is no plan, or no such job.
        ScheduleError: an unknown action, or the folder cannot be written.
    """
    if action not in ACTIONS:
        raise ScheduleError(f"No request '{action}'{suggest(action, ACTIONS)}")
    folder = Path(root)
    plan = load_plan(folder / PLAN_FILE)
    ident = plan.find(job).id
    file = folder / FOLDER / f"{time.time_ns()}-{os.getpid()}.json"
    write_json({"action": action, "job": ident}, file, error=ScheduleError)
    try:
        with SchedulerLock(folder), closing(Journal(folder)) as journal:
            records = read_records(folder, plan)
            left = [one for one in pending_requests(folder) if apply_request(one, plan, records, journal)]
            return not any(one.job_id == ident for one in left)
    except FolderTakenError:
        return False


def pending_requests(root: Path) -> list[Request]:
    """Requests that nobody has handled, the oldest first. Files that hold none are moved to ``control/rejected``."""
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
            found.append(_read_request(path))
        except ScheduleError as error:
            if os.path.lexists(path) and not may_pass(error):  # another process may have handled it meanwhile
                log.warning("%s", error)
                quarantine(path)
    return found


def _read_request(path: Path) -> Request:
    record = read_json(path, error=ScheduleError, largest=LARGEST, remedy="it is passed over")
    if not isinstance(record, dict) or record.get("action") not in ACTIONS or not isinstance(record.get("job"), str):
        raise ScheduleError(f"{path} is not a request, which names an action and a job; it is passed over")
    return Request(record["action"], record["job"], path)


def apply_request(request: Request, plan: Plan, records: Mapping[str, JobRecord], journal: Journal) -> list[str]:
    """Brings records and journal up to date with a request, and removes its file.

    Returns:
        ids of jobs that are running and must be stopped first; where there are any, the file stays.
    """
    running: list[str] = []
    if request.job_id in plan:
        if request.action == "cancel":
            running = _cancel(request.job_id, plan, records, journal)
        else:
            for ident in _jobs_to_retry(plan, records, request.job_id):
                entry = journal.add("state", job=ident, state="waiting", reason="to be tried again", failures=0)
                apply(records[ident], entry)
        mark_blocked(plan, records)
    if not running:
        request.path.unlink(missing_ok=True)
    return running


def _cancel(ident: str, plan: Plan, records: Mapping[str, JobRecord], journal: Journal) -> list[str]:
    """Cancels a job and all that need it, but for those that run, which are returned."""
    affected = [ident, *plan.dependants(ident)]
    for one in affected:
        if records[one].state in ("waiting", "blocked"):
            reason = "cancelled" if one == ident else f"needs '{plan[ident].name}', which was cancelled"
            apply(records[one], journal.add("state", job=one, state="cancelled", reason=reason))
    return [one for one in affected if records[one].state == "running"]


def _jobs_to_retry(plan: Plan, records: Mapping[str, JobRecord], ident: str) -> list[str]:
    """The jobs that must be tried again so that this one can be: itself, those it needs that failed or were cancelled,
    and those that were cancelled because they need it."""
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
