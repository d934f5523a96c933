"""What a scheduler knows while it runs a plan: records, running attempts, assigned slots, jobs that may start.

Each change of a record is written to the journal first.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

from mvlpt.errors import PlanError
from mvlpt.runtime import FILE_VARIABLE
from mvlpt.schedule.attempts import PROGRESS, Attempt, AttemptResult, attempt_folder
from mvlpt.schedule.jobs import Job, Plan
from mvlpt.schedule.journal import Journal, apply, mark_blocked, read_records
from mvlpt.schedule.retry import SchedulerOptions, command_of, next_state
from mvlpt.schedule.slots import Slot

ROOT_VARIABLE = "MVLPT_ROOT"  # names the plan's folder to a job


class RunState:
    """The state of a plan that is being run.

    Args:
        plan: the jobs.
        root: the plan's folder; absolute.
        options: retries and limits.
        clock: gives Unix seconds.
        timer: gives monotonic seconds.

    Attributes:
        records: by job id.
        attempts: the running ones, by job id.
        assigned: slot name to the id of the job that runs there.
        ready: ids of the jobs that wait for nothing but a slot or the time of their retry.
        changed: something has happened since this was last set to false.

    Raises:
        PlanError: the plan does not name the folder of its commands by a string.
    """

    def __init__(
        self,
        plan: Plan,
        root: Path,
        options: SchedulerOptions,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self.plan, self.root, self.options = plan, root, options
        self._clock, self._timer = clock, timer
        cwd = plan.metadata.get("cwd")
        if cwd is not None and not isinstance(cwd, str):
            raise PlanError(
                f"cwd among the plan's facts is {cwd!r}; name the folder in which its commands run, or leave it out"
            )
        self._cwd = root / cwd if cwd else None
        self._graph = plan.graph

    def open(self, journal: Journal) -> None:
        """Reads what has happened so far; later changes are added to the journal.

        Raises:
            ScheduleError: the journal is broken.
        """
        self._journal = journal
        self.records = read_records(self.root, self.plan)
        self.attempts: dict[str, Attempt] = {}
        self.assigned: dict[str, str] = {}
        self.ready: set[str] = set()
        self.changed = True
        self._retry_times: dict[str, float] = {}  # by the timer: what the clock is set to does not matter
        for ident, record in self.records.items():
            if record.retry_at:
                self._delay(ident, record.retry_at - self._clock())

    def attempt(self, job: Job, number: int) -> Attempt:
        """The attempt of this number at a job."""
        folder = attempt_folder(self.root, job.id, number)
        return Attempt(
            job=job,
            number=number,
            folder=folder,
            root=self.root,
            command=command_of(job, self.records[job.id]),
            environment={FILE_VARIABLE: str(folder / PROGRESS), ROOT_VARIABLE: str(self.root)},
            time_limit=self.options.time_limit,
            cwd=self._cwd,
            grace=self.options.grace,
        )

    def start(self, job: Job, slot: Slot) -> Attempt:
        """Records that a new attempt at a job starts on a slot."""
        record = self.records[job.id]
        number = record.attempts + 1
        while attempt_folder(self.root, job.id, number).exists():  # of a journal that was lost
            number += 1
        apply(
            record,
            self._journal.add(
                "started", job=job.id, attempt=number, slot=slot.name, micro_batches=record.micro_batches
            ),
        )
        attempt = self.attempt(job, number)
        self.attempts[job.id], self.assigned[slot.name] = attempt, job.id
        self.ready.discard(job.id)
        self.changed = True
        return attempt

    def set_handle(self, attempt: Attempt, handle: str) -> None:
        """Records what the executor calls an attempt."""
        entry = self._journal.add("placed", job=attempt.job.id, attempt=attempt.number, handle=handle)
        apply(self.records[attempt.job.id], entry)

    def finish(self, result: AttemptResult, requested: str = "") -> Attempt | None:
        """Records how an attempt ended and the state of its job that follows.

        Args:
            result: of the attempt.
            requested: ``stop`` or ``cancel`` if the scheduler had asked the attempt to end.

        Returns:
            The attempt; None where it is none of the running ones.
        """
        attempt = self.attempts.get(result.job_id)
        if attempt is None or attempt.number != result.number:
            return None
        job, record = attempt.job, self.records[result.job_id]
        fields = next_state(job, record, result, self.options, self._clock(), requested)
        entry = self._journal.add(
            "ended", job=job.id, attempt=result.number, status=result.status, seconds=result.seconds,
            peak_mb=result.peak_mb, **fields,
        )  # fmt: skip
        apply(record, entry)
        if record.retry_at:
            self._delay(job.id, record.retry_at - entry["t"])
        del self.attempts[job.id]
        self.assigned = {slot: ident for slot, ident in self.assigned.items() if ident != job.id}
        self.changed = True
        if record.state == "finished":
            self._update_ready(self._graph.successors(job.id))
        else:
            self.settle()
        return attempt

    def set_state(self, ident: str, state: str, reason: str, **fields: int) -> None:
        """Records the state of a job that no attempt has brought about."""
        entry = self._journal.add("state", job=ident, state=state, reason=reason, **fields)
        apply(self.records[ident], entry)

    def settle(self) -> None:
        """Finds out anew which jobs are blocked and which are ready."""
        mark_blocked(self.plan, self.records)
        self._update_ready(self.records)
        self.changed = True

    def due(self) -> set[str]:
        """The ready jobs whose retry, if they wait for one, may start now."""
        return self.ready - self._pauses().keys()

    def next_retry(self) -> float | None:
        """Seconds until the next retry is due; None where no job waits for one."""
        return min(self._pauses().values(), default=None)

    def is_over(self) -> bool:
        """Whether nothing runs and nothing is left that could."""
        return not self.attempts and all(record.state != "waiting" for record in self.records.values())

    def _delay(self, ident: str, seconds: float) -> None:
        """Lets a job wait, but never longer than a retry may."""
        self._retry_times[ident] = self._timer() + min(max(seconds, 0.0), self.options.longest_backoff)

    def _pauses(self) -> dict[str, float]:
        """Seconds until the retry of each ready job that waits for one."""
        now = self._timer()
        return {
            ident: moment - now
            for ident, moment in self._retry_times.items()
            if moment > now and ident in self.ready and self.records[ident].retry_at
        }

    def _update_ready(self, idents: Iterable[str]) -> None:
        for ident in idents:
            needs = self.plan[ident].needs
            waiting = self.records[ident].state == "waiting"
            if waiting and all(self.records[need].state == "finished" for need in needs):
                self.ready.add(ident)
            else:
                self.ready.discard(ident)
