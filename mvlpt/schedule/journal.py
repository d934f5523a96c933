"""``journal.jsonl``: what happened, in order; the only source of truth about a plan's jobs.

One JSON object a line, each written and flushed to the disk before the scheduler acts on it:

    {"t": Unix seconds, "event": "opened", "host", "pid", "executor", "jobs"}      a scheduler began
    {"t", "event": "started", "job", "attempt", "slot", "micro_batches"}           written before the attempt starts
    {"t", "event": "placed", "job", "attempt", "handle"}                           what the executor calls it
    {"t", "event": "ended", "job", "attempt", "status", "seconds", "reason", "peak_mb",
                  "state", "failures", "micro_batches", "retry_at"}                with the state that follows
    {"t", "event": "state", "job", "state", "reason", "failures"}                  cancelled, retried, outputs gone
    {"t", "event": "closed", ...}                                                  how many jobs are in which state

Blocked jobs are not recorded: they follow from the plan and the others.
"""

from __future__ import annotations

import io
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mvlpt.errors import ScheduleError, suggest
from mvlpt.io import append_descriptor, json_text, parse_json, read_bytes
from mvlpt.schedule.jobs import Plan
from mvlpt.schedule.records import STATES, JobRecord

FILE = "journal.jsonl"
LARGEST = 2**28  # bytes; the journal of a hundred thousand jobs is smaller
_ENDED = ("status", "seconds", "reason", "peak_mb", "state", "failures", "micro_batches", "retry_at")


class Journal:
    """The journal of a folder, open for appending. A torn last line, left by a crash, is cut off.

    Args:
        root: the plan's folder.
        clock: gives Unix seconds.

    Raises:
        ScheduleError: the file cannot be written.
    """

    def __init__(self, root: Path, clock: Callable[[], float] = time.time) -> None:
        self.path, self._clock = root / FILE, clock
        self._error: OSError | None = None
        try:
            root.mkdir(parents=True, exist_ok=True)
            fresh = not self.path.exists()
            self._handle = append_descriptor(self.path)
            _cut_torn_line(self._handle)
            if fresh:
                _flush_folder(root)
        except OSError as error:
            raise self._cannot_write(error) from error

    def add(self, event: str, **fields: Any) -> dict[str, Any]:
        """Writes an event; once this returns it survives a crash.

        Raises:
            ScheduleError: the disk is full or the file cannot be written.
        """
        if self._error is not None:  # after half a line, another one would make the file unreadable
            raise self._cannot_write(self._error)
        entry = {"t": round(self._clock(), 3), "event": event, **fields}
        line = memoryview((json_text(entry) + "\n").encode("utf-8", "surrogateescape"))
        try:
            while line:
                line = line[os.write(self._handle, line) :]
            os.fsync(self._handle)
        except OSError as error:
            self._error = error
            raise self._cannot_write(error) from error
        return entry

    def close(self) -> None:
        """Closes the file."""
        os.close(self._handle)

    def _cannot_write(self, error: OSError) -> ScheduleError:
        return ScheduleError(
            f"Cannot write {self.path}: {error.strerror or error}; free or choose another folder and run the same"
            " command again"
        )


def read_events(root: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The events of a folder's journal with their line numbers; a torn last line is passed over.

    Raises:
        ScheduleError: the file cannot be read, or a line is not an event.
    """
    path = root / FILE
    if not os.path.lexists(path):
        return
    content = read_bytes(path, error=ScheduleError, largest=LARGEST, remedy="see what it is, and restore or delete it")
    for number, line in enumerate(io.BytesIO(content), start=1):
        if not line.endswith(b"\n"):
            return  # torn
        line = line[:-1]
        try:
            entry = parse_json(line, path, error=ScheduleError)
        except ScheduleError:
            entry = None
        if not isinstance(entry, dict) or not isinstance(entry.get("event"), str) or "t" not in entry:
            raise ScheduleError(
                f"{path}, line {number} is not an event: {line[:60].decode(errors='replace')!r}; the file was cut or"
                " edited. Correct the line, or delete it if what it recorded may be forgotten"
            )
        yield number, entry


def read_records(root: str | os.PathLike[str], plan: Plan) -> dict[str, JobRecord]:
    """What is known of each job of a plan, whether or not a scheduler is running; ids the plan lacks are passed over.

    Raises:
        ScheduleError: the journal is broken; the message names file and line.
    """
    folder = Path(root)
    records = {job.id: JobRecord() for job in plan}
    for number, entry in read_events(folder):
        ident = entry.get("job")
        if isinstance(ident, str) and ident in records:
            try:
                apply(records[ident], entry)
            except (KeyError, TypeError, ValueError, OverflowError) as error:
                raise ScheduleError(
                    f"{folder / FILE}, line {number}: a '{entry['event']}' event with a wrong or missing {error};"
                    " correct the line, or delete it if what it recorded may be forgotten"
                ) from None
    mark_blocked(plan, records)
    return records


def apply(record: JobRecord, entry: Mapping[str, Any]) -> None:
    """Brings a record up to date with an event of its job.

    Raises:
        KeyError, TypeError, ValueError, OverflowError: a field is missing or wrong.
    """
    event = entry["event"]
    if event == "started":
        record.state, record.reason, record.handle = "running", "", ""
        record.attempts, record.slot = int(entry["attempt"]), str(entry["slot"])
        record.micro_batches = int(entry.get("micro_batches", record.micro_batches))
        record.started, record.ended, record.status = float(entry["t"]), None, None
        record.seconds = record.peak_mb = 0.0
    elif event == "placed":
        record.handle = str(entry["handle"])
    elif event == "ended":
        record.ended = float(entry["t"])
        for name in _ENDED:
            kind = int if name == "status" else type(getattr(JobRecord, name))
            setattr(record, name, kind(entry[name]))
        if not all(map(math.isfinite, (record.seconds, record.peak_mb, record.retry_at))):
            raise ValueError("number: it is not finite")
    elif event == "state":
        record.state, record.reason = str(entry["state"]), str(entry["reason"])
        record.failures, record.retry_at = int(entry.get("failures", record.failures)), 0.0
    if record.state not in STATES:
        raise ValueError(f"state '{record.state[:60]}'{suggest(record.state[:60], STATES)}")


def mark_blocked(plan: Plan, records: Mapping[str, JobRecord]) -> None:
    """Marks the waiting jobs that cannot run because one they need has failed, and those that can again."""
    for job in plan:
        record = records[job.id]
        if record.state not in ("waiting", "blocked"):
            continue
        culprit = next((need for need in job.needs if records[need].state in ("failed", "blocked", "cancelled")), None)
        if culprit is not None:
            state = records[culprit].state
            verb = {"failed": "failed", "blocked": "is blocked", "cancelled": "was cancelled"}[state]
            record.state, record.reason = "blocked", f"needs '{plan[culprit].name}', which {verb}"
        elif record.state == "blocked":
            record.state, record.reason = "waiting", ""


def _cut_torn_line(handle: int) -> None:
    """Shortens the file to its last whole line."""
    size = end = os.fstat(handle).st_size
    while end > 0:
        start = max(0, end - 65536)
        found = os.pread(handle, end - start, start).rfind(b"\n")
        if found >= 0:
            end = start + found + 1
            break
        end = start
    if end < size:
        os.ftruncate(handle, end)
        os.fsync(handle)


def _flush_folder(folder: Path) -> None:
    """Makes a new file's name as durable as its content."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
