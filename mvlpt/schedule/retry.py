"""What the end of an attempt means for its job: finished, tried again, tried again with less memory, failed."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from mvlpt.errors import BAD_INPUT, OUT_OF_MEMORY, ScheduleError
from mvlpt.schedule.attempts import GRACE, AttemptResult
from mvlpt.schedule.jobs import Job
from mvlpt.schedule.records import JobRecord

MICRO_BATCHES = "RUN.MICRO_BATCHES"


@dataclass(frozen=True)
class SchedulerOptions:
    """How a scheduler deals with failures.

    Attributes:
        retries: a job that fails is started again this many times.
        backoff: seconds before the first retry; doubled each time.
        longest_backoff: seconds that it is at most.
        time_limit: seconds that each attempt may run; None for no limit.
        grace: seconds that an attempt has to save its state once its time is up or it is cancelled.
        largest_micro_batches: a batch is computed in this many parts at most where memory is short.
        retry_failed: start jobs again that failed under an earlier scheduler.
    """

    retries: int = 2
    backoff: float = 5.0
    longest_backoff: float = 300.0
    time_limit: float | None = None
    grace: float = GRACE
    largest_micro_batches: int = 64
    retry_failed: bool = False

    def __post_init__(self) -> None:
        for name in ("retries", "backoff", "longest_backoff", "grace"):
            if not getattr(self, name) >= 0:
                raise ScheduleError(f"{name} is {getattr(self, name)}; give a number of at least 0")
        if self.time_limit is not None and not 0 < self.time_limit <= threading.TIMEOUT_MAX:
            raise ScheduleError(
                f"time_limit is {self.time_limit}; give seconds above 0 and at most {threading.TIMEOUT_MAX:g},"
                " or None for no limit"
            )


def next_state(
    job: Job, record: JobRecord, result: AttemptResult, options: SchedulerOptions, now: float, requested: str = ""
) -> dict[str, Any]:
    """The fields of a job's record after the end of an attempt.

    Args:
        job: whose attempt.
        record: as it was while the attempt ran.
        result: how it ended.
        options: retries and the like.
        now: Unix seconds.
        requested: ``stop`` or ``cancel`` if the scheduler asked the attempt to end.
    """
    after = {
        "state": "finished", "failures": record.failures, "micro_batches": record.micro_batches, "retry_at": 0.0,
        "reason": result.reason,
    }  # fmt: skip
    if result.status == 0:
        return after
    if requested:
        return {**after, "state": "cancelled" if requested == "cancel" else "waiting"}
    if result.status == OUT_OF_MEMORY and can_split(job):
        parts = 2 * max(record.micro_batches, given_micro_batches(job.command))
        if parts <= options.largest_micro_batches:
            reason = f"out of memory; next in {parts} parts"
            return {**after, "state": "waiting", "micro_batches": parts, "reason": reason}
        after["reason"] = f"out of memory even with each batch in {parts // 2} parts"
    after["failures"] += 1
    if result.status == BAD_INPUT or after["failures"] > options.retries:
        return {**after, "state": "failed"}
    pause = min(options.backoff * 2 ** min(record.failures, 30), options.longest_backoff)
    return {**after, "state": "waiting", "retry_at": round(now + pause, 3)}


def command_of(job: Job, record: JobRecord) -> tuple[str, ...]:
    """The job's command, with its batches in parts if memory was short before."""
    if record.micro_batches > 1 and can_split(job):
        return (*job.command, MICRO_BATCHES, str(record.micro_batches))
    return job.command


def can_split(job: Job) -> bool:
    """Whether the job's batches can be computed in parts: those of ``mvlpt train`` can."""
    return job.command[:2] == ("mvlpt", "train")


def given_micro_batches(command: Sequence[str]) -> int:
    """Parts that a command asks for by itself."""
    values = [after for word, after in pairwise(command) if word == MICRO_BATCHES]
    return int(values[-1]) if values and values[-1].isdecimal() else 1
