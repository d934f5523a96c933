"""What changed between two snapshots of the jobs, as sentences for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mvlpt.report.durations import duration
from mvlpt.report.jobs.job_files import last_line
from mvlpt.schedule import STATES, Job, JobRecord, Plan, Snapshot, attempt_folder

STYLES = {
    "started": "",
    "finished": "green",
    "again": "yellow",
    "failed": "bold red",
    "blocked": "red",
    "cancelled": "magenta",
    "stopped": "yellow",
}
NOTABLE = ("again", "failed", "cancelled")  # what is printed even where a live table is shown


@dataclass(frozen=True)
class Change:
    """Something that happened to a job: its kind, a key of :data:`STYLES`, and a sentence about it."""

    what: str
    job: Job
    text: str


class Changes:
    """Compares each snapshot with the one before; for the first one only running jobs are reported."""

    def __init__(self) -> None:
        self._before: dict[str, tuple[str, int, float]] | None = None

    def __call__(self, snapshot: Snapshot) -> list[Change]:
        """What is new: endings first, in the order of the plan; jobs blocked at once make one change together."""
        now = {ident: _mark(record) for ident, record in snapshot.records.items()}
        before = self._before
        self._before = now
        if before is None:
            return [change for change in self._all(snapshot, {}) if change.what == "started"]
        return sorted(self._all(snapshot, before), key=lambda change: change.what == "started")  # endings first

    def _all(self, snapshot: Snapshot, before: dict[str, tuple[str, int, float]]) -> Iterator[Change]:
        blocked: list[tuple[Job, JobRecord]] = []
        for job in snapshot.plan:
            record = snapshot.records[job.id]
            was = before.get(job.id, ("waiting", 0, 0.0))
            if was == _mark(record):
                continue
            if record.state == "blocked":
                if was[0] != "blocked":
                    blocked.append((job, record))
                continue
            text = _sentence(snapshot, job, record, was)
            if text is not None:
                yield Change(text[0], job, text[1])
        if blocked:
            job, record = blocked[0]
            more = f" and {len(blocked) - 1} more" if len(blocked) > 1 else ""
            yield Change("blocked", job, f"{job.name}{more}: {record.reason}")


def _mark(record: JobRecord) -> tuple[str, int, float]:
    return (record.state, record.attempts, record.ended or 0.0)


def _sentence(snapshot: Snapshot, job: Job, record: JobRecord, was: tuple[str, int, float]) -> tuple[str, str] | None:
    took = duration(record.seconds)
    if record.state == "running":
        again = f", attempt {record.attempts}" if record.attempts > 1 else ""
        return "started", f"{job.name} on {record.slot or 'its slot'}{again}"
    if record.state == "finished":
        return "finished", f"{job.name} in {took}"
    if record.state == "failed":
        return "failed", f"{job.name} after {took}: {why(snapshot, job, record)}"
    if record.state == "cancelled":
        return "cancelled", f"{job.name}: {record.reason or 'by request'}"
    if record.attempts and (was[0] != "waiting" or was[1] != record.attempts):  # it ran and waits again
        if snapshot.stopping:
            more = "" if record.reason in ("", "stopped") else f": {record.reason}"
            return "stopped", f"{job.name} after {took}{more}"
        return "again", f"{job.name} after {took}: {why(snapshot, job, record)}"
    return None


def why(snapshot: Snapshot, job: Job, record: JobRecord) -> str:
    """Why a job ended, the last line it printed, and where its log is."""
    folder = attempt_folder(snapshot.root, job.id, record.attempts)
    line = last_line(folder)
    reason = record.reason or f"exit status {record.status}"
    output = f"; last output: {shorten(line, 200)}" if line and line not in reason else ""
    return f"{reason}{output} (log: {folder / 'output.log'})"


def shorten(text: str, length: int) -> str:
    """The beginning of a long text."""
    return text if len(text) <= length else text[: max(0, length - 1)].rstrip() + "…"


def counts_text(plan: Plan, records: Mapping[str, JobRecord]) -> str:
    """``12 of 40 finished, 2 running, 26 waiting``; states without jobs are left out."""
    counts = Counter(record.state for record in records.values())
    rest = [f"{counts[state]:,} {state}" for state in ("running", *STATES) if counts[state] and state != "finished"]
    return ", ".join([f"{counts['finished']:,} of {len(plan):,} finished", *dict.fromkeys(rest)])
