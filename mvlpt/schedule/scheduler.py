"""The scheduler: starts the most urgent jobs on free slots, and writes down what happens."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import FrameType

from mvlpt.errors import INTERRUPTED, PlanError
from mvlpt.runtime.interrupts import StopRequest
from mvlpt.runtime.progress import FILE_VARIABLE
from mvlpt.schedule.attempts import (
    OUTPUT,
    PROGRESS,
    Attempt,
    AttemptResult,
    attempt_folder,
    missing_outputs,
    read_result,
)
from mvlpt.schedule.control import Request, carry_out_request, pending
from mvlpt.schedule.estimates import Estimates
from mvlpt.schedule.executors.protocol import Executor
from mvlpt.schedule.jobs import Job, Plan
from mvlpt.schedule.journal import Journal, apply, mark_blocked, read_records
from mvlpt.schedule.lock import SchedulerLock
from mvlpt.schedule.records import Outcome, Snapshot
from mvlpt.schedule.retry import SchedulerOptions, command_of, what_follows
from mvlpt.schedule.slots import Slot, place

log = logging.getLogger(__name__)

ROOT_VARIABLE = "MVLPT_ROOT"  # tells a job the plan's folder
LOOK_SECONDS = 0.25  # how often signals and requests are looked for
TELL_SECONDS = 0.1  # the listener is not called more often


class Scheduler:
    """Runs a plan's jobs to their end, whatever was done before.

    Everything it knows is in the journal: killed at any moment and started again, it goes on.

    Args:
        plan: the jobs.
        root: the plan's folder.
        executor: where they run; closed at the end.
        options: retries and limits.
        listener: called with a :class:`Snapshot` whenever something has happened, and about once a second otherwise.
        clock: gives Unix seconds.

    Raises:
        PlanError: the plan does not name its commands' folder by a text.
    """

    def __init__(
        self,
        plan: Plan,
        root: str | os.PathLike[str],
        executor: Executor,
        options: SchedulerOptions | None = None,
        listener: Callable[[Snapshot], None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.plan, self.root, self.executor = plan, Path(os.path.abspath(root)), executor
        self.options = options or SchedulerOptions()
        self._listener, self._clock = listener, clock
        self._signals = _Signals()
        self._graph = plan.graph
        cwd = plan.metadata.get("cwd")
        if cwd is not None and not isinstance(cwd, str):
            raise PlanError(
                f"The plan's fact cwd is {cwd!r}; name the folder in which its commands run, or leave it out"
            )
        self._cwd = self.root / cwd if cwd else None
        self._slots = list(executor.slots())

    def run(self) -> Outcome:
        """Runs until every job has finished, failed, or waits in vain; or until the user stops it.

        Raises:
            ScheduleError: another scheduler works on the folder, it cannot be written, or its journal is broken.
        """
        try:
            with SchedulerLock(self.root), closing(Journal(self.root, self._clock)) as self._journal:
                with self._signals:
                    self._open()
                    while not self._round():
                        self.executor.wait(self._pause())
                outcome = Outcome.of(self._records.values(), self._signals.count > 0)
                self._journal.add("closed", **vars(outcome))
                return outcome
        finally:
            self.executor.close()

    def stop(self) -> None:
        """As Ctrl-C does: once lets running jobs save their state, twice ends them at once. From any thread."""
        self._signals.count += 1

    def _open(self) -> None:
        """Reads what happened before, and takes it up."""
        self._started = self._told_at = self._clock()
        self._looked_at = 0.0
        self._stopping = self._stopped_now = False
        self._asked: dict[str, str] = {}  # running jobs that were told to end: why
        self._deadlines: dict[str, float] = {}  # of cancelled ones: when they are ended at once
        self._attempts: dict[str, Attempt] = {}  # the running ones
        self._places: dict[str, str] = {}  # slot to job
        self._ready: set[str] = set()
        self._changed = True
        self._journal.add(
            "opened", host=socket.gethostname(), pid=os.getpid(), executor=self.executor.name, jobs=len(self.plan)
        )
        self._records = read_records(self.root, self.plan)
        self._estimates = Estimates(self.plan, self._records, len(self._slots), self._clock)
        for job in self.plan:
            self._take_up(job)
        self._settle()
        self._estimates.correct()

    def _take_up(self, job: Job) -> None:
        """Makes a job's record agree with what is there."""
        record = self._records[job.id]
        attempt = self._attempt(job, record.attempts)
        if record.state == "running":
            self._attempts[job.id] = attempt
            ended = read_result(attempt)
            if ended is None and self.executor.adopt(attempt, record.handle):
                self._places[self._slot_of(record.slot, job.id)] = job.id
                return
            ended = ended or read_result(attempt)
            if ended is not None:
                if ended.status == INTERRUPTED and ended.reason.startswith("stopped"):
                    self._asked[job.id] = "stop"  # by the scheduler that is gone
                self._conclude(ended)
            else:
                del self._attempts[job.id]
                self._set(job.id, "waiting", "its scheduler ended before it did")
        elif record.state == "finished":
            absent = missing_outputs(attempt)
            if absent:
                log.warning("%s has finished, but %s is gone; it runs again", job.name, ", ".join(absent))
                self._set(job.id, "waiting", f"its output {', '.join(absent)} is gone", failures=0)
        elif record.state == "failed" and self.options.retry_failed:
            self._set(job.id, "waiting", "to be tried again", failures=0)

    def _slot_of(self, name: str, ident: str) -> str:
        """The slot an adopted job takes: its own, or another where that is taken or gone, or one that is too many."""
        free = [slot.name for slot in self._slots if slot.name not in self._places]
        return name if name in free else free[0] if free else f"{name}+{ident}"

    def _round(self) -> bool:
        """One turn: what came in, what follows, what starts. Returns whether there is nothing left to do."""
        self._obey()
        for ended in self.executor.poll():
            self._conclude(ended)
        if not self._stopping:
            self._start_ready()
        if self._over():
            self._look()  # a request may have come in meanwhile
        over = self._over()
        self._tell(now=over)
        return over

    def _over(self) -> bool:
        if self._attempts:
            return False
        return self._stopping or all(record.state != "waiting" for record in self._records.values())

    def _pause(self) -> float:
        """Seconds to sleep at most."""
        now = self._clock()
        due = [self._records[ident].retry_at - now for ident in self._ready if self._records[ident].retry_at > now]
        return max(0.0, min([TELL_SECONDS if self._changed else LOOK_SECONDS, *due]))

    def _obey(self) -> None:
        """Signals of the user, and requests of other processes."""
        if self._signals.count >= 1 and not self._stopping:
            self._stopping = self._changed = True
            for ident, attempt in self._attempts.items():
                self._asked.setdefault(ident, "stop")
                self.executor.stop(attempt, now=False)
        if self._signals.count >= 2 and not self._stopped_now:
            self._stopped_now = True
            for attempt in list(self._attempts.values()):
                self.executor.stop(attempt, now=True)
        now = self._clock()
        if now - self._looked_at >= LOOK_SECONDS or now < self._looked_at:
            self._looked_at = now
            self._look()
            for ident in [ident for ident, deadline in self._deadlines.items() if now > deadline]:
                del self._deadlines[ident]
                self.executor.stop(self._attempts[ident], now=True)

    def _look(self) -> None:
        """Serves the requests of other processes."""
        for one in pending(self.root):
            self._serve(one)

    def _serve(self, one: Request) -> None:
        for ident in carry_out_request(one, self.plan, self._records, self._journal):
            if self._asked.get(ident) != "cancel":
                self._asked[ident] = "cancel"
                self._deadlines[ident] = self._clock() + self.options.grace
                self.executor.stop(self._attempts[ident], now=False)
        self._settle()

    def _start_ready(self) -> None:
        if not self._ready or len(self._places) >= len(self._slots):
            return
        now = self._clock()
        due = [ident for ident in self._ready if self._records[ident].retry_at <= now]
        due.sort(key=lambda ident: (-self._estimates.ranks[ident], ident))
        taken = {name: self.plan[ident].memory_mb for name, ident in self._places.items()}
        for ident, slot in place([(ident, self.plan[ident].memory_mb) for ident in due], self._slots, taken):
            self._start(self.plan[ident], slot)

    def _start(self, job: Job, slot: Slot) -> None:
        """Writes down that an attempt starts, and starts it."""
        record = self._records[job.id]
        number = record.attempts + 1
        while attempt_folder(self.root, job.id, number).exists():  # of a journal that was lost
            number += 1
        entry = self._journal.add(
            "started", job=job.id, attempt=number, slot=slot.name, micro_batches=record.micro_batches
        )
        apply(record, entry)
        attempt = self._attempt(job, number)
        self._attempts[job.id], self._places[slot.name] = attempt, job.id
        self._ready.discard(job.id)
        self._changed = True
        handle = self.executor.start(attempt, slot)
        if handle:
            apply(record, self._journal.add("placed", job=job.id, attempt=number, handle=handle))

    def _attempt(self, job: Job, number: int) -> Attempt:
        folder = attempt_folder(self.root, job.id, number)
        return Attempt(
            job=job,
            number=number,
            folder=folder,
            root=self.root,
            command=command_of(job, self._records[job.id]),
            environment={FILE_VARIABLE: str(folder / PROGRESS), ROOT_VARIABLE: str(self.root)},
            time_limit=self.options.time_limit,
            cwd=self._cwd,
            grace=self.options.grace,
        )

    def _conclude(self, ended: AttemptResult) -> None:
        """Writes down how an attempt ended, and what follows."""
        attempt = self._attempts.get(ended.job_id)
        if attempt is None or attempt.number != ended.number:
            return
        job, record = self.plan[ended.job_id], self._records[ended.job_id]
        asked = self._asked.pop(job.id, "")
        follows = what_follows(job, record, ended, self.options, self._clock(), asked)
        entry = self._journal.add(
            "ended", job=job.id, attempt=ended.number, status=ended.status, seconds=ended.seconds,
            peak_mb=ended.peak_mb, **follows,
        )  # fmt: skip
        apply(record, entry)
        del self._attempts[job.id]
        self._deadlines.pop(job.id, None)
        self._places = {slot: ident for slot, ident in self._places.items() if ident != job.id}
        self._changed = True
        self._report(attempt, record.state, record.reason)
        if record.state == "finished":
            for after in self._graph.successors(job.id):
                self._sort_in(after)
            self._estimates.job_finished()
        else:
            self._settle()

    def _report(self, attempt: Attempt, state: str, reason: str) -> None:
        """Logs what did not end well, where there is no listener to tell it."""
        if self._listener is not None:
            return
        told = "%s, attempt %d: %s; its output: %s"
        if state == "failed":
            log.warning(told, attempt.job.name, attempt.number, reason, attempt.folder / OUTPUT)
        elif state == "waiting" and not self._stopping:
            log.warning(told, attempt.job.name, attempt.number, f"{reason}; tried again", attempt.folder / OUTPUT)

    def _set(self, ident: str, state: str, reason: str, **facts: int) -> None:
        apply(self._records[ident], self._journal.add("state", job=ident, state=state, reason=reason, **facts))

    def _settle(self) -> None:
        """Finds out anew which jobs are blocked and which are ready."""
        mark_blocked(self.plan, self._records)
        for ident in self._records:
            self._sort_in(ident)
        self._changed = True

    def _sort_in(self, ident: str) -> None:
        needs = self.plan[ident].needs
        if self._records[ident].state == "waiting" and all(self._records[need].state == "finished" for need in needs):
            self._ready.add(ident)
        else:
            self._ready.discard(ident)

    def _tell(self, now: bool) -> None:
        """Tells the listener, at once or when it is time."""
        moment = self._clock()
        since = moment - self._told_at
        if self._listener is None or not (now or since >= (TELL_SECONDS if self._changed else 1.0) or since < 0):
            return
        self._told_at, self._changed = moment, False
        left = self._estimates.time_left(moment, exact=now)
        slots = [(slot, self._places.get(slot.name)) for slot in self._slots]
        self._listener(
            Snapshot(
                self.plan, self._records, slots, self._started, moment - self._started, left, self._stopping, self.root
            )
        )


class _Signals(StopRequest):
    """Counts SIGINT and SIGTERM. Never raises: an exception in mid-write would leave half a line in the journal."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        self.count += 1
