"""The state of a plan's jobs: as tables and lines for people, and as one record for programs."""

from __future__ import annotations

import shlex
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mvlpt.arms import arm_label
from mvlpt.report.durations import clock
from mvlpt.report.jobs.changes import shorten
from mvlpt.report.jobs.job_files import last_line, read_progress
from mvlpt.report.jobs.plan_table import category_of, category_rank
from mvlpt.report.sheets import Column, Entry, Sheet
from mvlpt.schedule import OUTPUT, STATES, Job, JobRecord, Plan, attempt_folder

LISTED = 20  # failed jobs that are described in full

Records = Mapping[str, JobRecord]


def status_sheet(plan: Plan, records: Records, title: str = "") -> Sheet:
    """How many jobs of each kind, trainer and arm are in which state; states without jobs have no column."""
    counts: dict[Any, Counter[str]] = defaultdict(Counter)
    for job in plan:
        counts[category_of(job)][records[job.id].state] += 1
    total: Counter[str] = sum(counts.values(), Counter())
    states = [state for state in STATES if total[state]]
    columns = [Column((name,), left=True) for name in ("kind", "trainer", "arm")]
    columns += [Column((state,)) for state in (*states, "all")]
    rows: list[tuple[Entry, ...] | None] = [
        (*map(Entry, (kind, trainer, arm_label(arm))), *_numbers(counts[kind, trainer, arm], states))
        for kind, trainer, arm in sorted(counts, key=category_rank)
    ]
    rows += [None, (Entry("all", bold=True), Entry(), Entry(), *_numbers(total, states, bold=True))]
    return Sheet(title, tuple(columns), tuple(rows), keys=3)


def _numbers(counts: Counter[str], states: Sequence[str], bold: bool = False) -> list[Entry]:
    numbers = [*(counts[state] for state in states), sum(counts.values())]
    return [Entry(f"{number:,}" if number else "", bold) for number in numbers]


def running_sheet(plan: Plan, records: Records, root: Path, now: float | None = None) -> Sheet:
    """The jobs that run, with the progress that they report."""
    moment = time.time() if now is None else now
    columns = (*(Column((name,), left=True) for name in ("running", "slot", "progress")), Column(("since",)))
    rows = []
    for job in plan:
        record = records[job.id]
        if record.state == "running":
            progress = read_progress(attempt_folder(root, job.id, record.attempts))
            text = f"{progress.share:.0%} {progress.text}".strip() if progress else ""
            since = clock(moment - record.started) if record.started else ""
            name = f"{job.name} (attempt {record.attempts})" if record.attempts > 1 else job.name
            rows.append(tuple(map(Entry, (name, record.slot, text, since))))
    return Sheet("", columns, tuple(rows))


def failure_lines(plan: Plan, records: Records, root: Path) -> list[str]:
    """For each failed or cancelled job: why, the last line it printed, its log, and the command to run by hand.

    A job that was cancelled because it needs a cancelled one is left out. Of very many, some are counted only.
    """
    lines = []
    start = shlex.quote(str((root / (plan.metadata.get("cwd") or "")).resolve()))
    failed = [job for job in plan if _is_cause(job, records)]
    for job in failed[:LISTED]:
        record = records[job.id]
        attempts = f" after {record.attempts} attempts" if record.attempts > 1 else ""
        lines.append(f"{record.state}: {job.name} ({job.id}){attempts}: {_reason(record)}")
        folder = attempt_folder(root, job.id, record.attempts)
        line = last_line(folder)
        if line:
            lines.append(f"  last output: {shorten(line, 300)}")
        if record.attempts:
            lines.append(f"  log: {folder / OUTPUT}")
        lines.append(f"  command: cd {start} && {job.shell}")
    if len(failed) > LISTED:
        lines.append(f"and {len(failed) - LISTED} more; `mvlpt schedule status --json` lists all")
    return lines


def failure_reason(record: JobRecord, folder: Path) -> tuple[str, str]:
    """Why a job is in its state, and the last line that its attempt in ``folder`` printed, if any."""
    return _reason(record), shorten(last_line(folder), 300)


def _is_cause(job: Job, records: Records) -> bool:
    state = records[job.id].state
    return state == "failed" or (state == "cancelled" and all(records[need].state != state for need in job.needs))


def _reason(record: JobRecord) -> str:
    otherwise = f"exit status {record.status}" if record.status is not None else "by request"
    return record.reason if record.reason not in ("", record.state) else otherwise


def status_record(plan: Plan, records: Records, root: Path, scheduler_runs: bool) -> dict[str, Any]:
    """Everything about every job, for ``status --json``."""
    counts = Counter(record.state for record in records.values())
    return {
        "root": str(root),
        "scheduler_runs": scheduler_runs,
        "states": {state: counts[state] for state in STATES},
        "jobs": [_job_record(job, records[job.id], root) for job in plan],
    }


def _job_record(job: Job, record: JobRecord, root: Path) -> dict[str, Any]:
    folder = attempt_folder(root, job.id, record.attempts)
    progress = read_progress(folder) if record.state == "running" else None
    return {
        "id": job.id,
        "kind": job.kind,
        "name": job.name,
        "state": record.state,
        "attempts": record.attempts,
        "status": record.status,
        "reason": record.reason,
        "slot": record.slot,
        "started": record.started,
        "ended": record.ended,
        "seconds": record.seconds,
        "estimated_seconds": job.seconds,
        "peak_mb": record.peak_mb,
        "micro_batches": record.micro_batches,
        "progress": progress and {"done": progress.done, "total": progress.total, "text": progress.text},
        "log": str(folder / OUTPUT) if record.attempts else None,
        "command": list(job.command),
        "needs": list(job.needs),
        "facts": dict(job.labels),
    }
