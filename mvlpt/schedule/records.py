"""What is known of each job: its record, made from the journal's events, and the snapshot that listeners get."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mvlpt.schedule.jobs import Plan
from mvlpt.schedule.slots import Slot

STATES = ("waiting", "running", "finished", "failed", "blocked", "cancelled")


@dataclass
class JobRecord:
    """What happened to a job so far.

    Attributes:
        state: one of :data:`STATES`; a waiting job is ready once all it needs have finished.
        attempts: starts so far, which is also the number of the last attempt; 0 before the first.
        failures: attempts that count against the retries.
        slot: name of the slot of the last attempt.
        handle: what the executor calls the last attempt.
        started: when the last attempt started, Unix seconds.
        ended: when it ended; None while it runs.
        seconds: running time of the last attempt.
        status: its exit status.
        reason: why the job is in its state, one sentence; empty where there is nothing to say.
        micro_batches: parts in which each batch is computed, doubled when memory was short.
        retry_at: the job waits until then, Unix seconds.
        peak_mb: peak memory of the last attempt, MiB.
    """

    state: str = "waiting"
    attempts: int = 0
    failures: int = 0
    slot: str = ""
    handle: str = ""
    started: float | None = None
    ended: float | None = None
    seconds: float = 0.0
    status: int | None = None
    reason: str = ""
    micro_batches: int = 1
    retry_at: float = 0.0
    peak_mb: float = 0.0


@dataclass(frozen=True)
class Snapshot:
    """The state of everything at one moment.

    Attributes:
        plan: the jobs.
        records: by job id; a live view, to be read at once and not kept.
        slots: each slot with the id of the job that runs there, or None.
        started: when the scheduler started, Unix seconds.
        elapsed: seconds since then.
        time_left: seconds, by the estimates as finished jobs have corrected them.
        stopping: the user asked to stop.
        root: the plan's folder.
    """

    plan: Plan
    records: Mapping[str, JobRecord]
    slots: Sequence[tuple[Slot, str | None]]
    started: float
    elapsed: float
    time_left: float
    stopping: bool = False
    root: Path = field(default_factory=Path)


@dataclass(frozen=True)
class Outcome:
    """How many jobs ended in which state, and whether the user stopped the scheduler."""

    finished: int = 0
    failed: int = 0
    blocked: int = 0
    cancelled: int = 0
    waiting: int = 0
    interrupted: bool = False

    @classmethod
    def of(cls, records: Iterable[JobRecord], interrupted: bool) -> Outcome:
        """Counts."""
        counts = Counter(record.state for record in records)
        waiting = counts["waiting"] + counts["running"]
        return cls(counts["finished"], counts["failed"], counts["blocked"], counts["cancelled"], waiting, interrupted)
