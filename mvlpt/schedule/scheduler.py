"""The scheduler: starts the most urgent jobs on free slots, and records what happens."""

from __future__ import annotations

import heapq
import logging
import os
import socket
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import FrameType

from mvlpt.errors import INTERRUPTED
from mvlpt.runtime import StopRequest
from mvlpt.schedule.attempts import OUTPUT, Attempt, AttemptResult, missing_outputs, read_result
from mvlpt.schedule.control import Request, apply_request, pending_requests
from mvlpt.schedule.estimates import Estimates
from mvlpt.schedule.executors.protocol import Executor
from mvlpt.schedule.jobs import Job, Plan
from mvlpt.schedule.journal import Journal
from mvlpt.schedule.lock import SchedulerLock
from mvlpt.schedule.records import Outcome, Snapshot
from mvlpt.schedule.retry import SchedulerOptions
from mvlpt.schedule.run_state import RunState
from mvlpt.schedule.slots import assign

log = logging.getLogger(__name__)

POLL_SECONDS = 0.25  # how often signals and requests are looked for
NOTIFY_SECONDS = 0.1  # the listener is not called more often


class Scheduler:
    """Runs a plan's jobs to their end, whatever was done before.

    Everything it knows is in the journal: killed at any moment and started again, it continues.

    Args:
        plan: the jobs.
        root: the plan's folder.
        executor: where they run; closed at the end.
        options: retries and limits.
        listener: called with a :class:`Snapshot` whenever something has happened, and about once a second otherwise.
        clock: gives Unix seconds, for the journal.
        timer: gives monotonic seconds, by which the scheduler waits.

    Raises:
        PlanError: the plan does not name the folder of its commands by a string.
    """

    def __init__(
        self,
        plan: Plan,
        root: str | os.PathLike[str],
        executor: Executor,
        options: SchedulerOptions | None = None,
        listener: Callable[[Snapshot], None] | None = None,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self.plan, self.root, self.executor = plan, Path(os.path.abspath(root)), executor
        self.options = options or SchedulerOptions()
        self._listener, self._clock, self._timer = listener, clock, timer
        self._signals = _SignalCount()
        self._state = RunState(plan, self.root, self.options, clock, timer)
        self._slots = list(executor.slots())

    def run(self) -> Outcome:
        """Runs until every job has finished, failed, or is blocked; or until the user stops it.

        Raises:
            ScheduleError: another scheduler works on the folder, it cannot be written, or its journal is broken.
        """
        try:
            with SchedulerLock(self.root), closing(Journal(self.root, self._clock)) as journal:
                with self._signals:
                    self._open(journal)
                    while not self._step():
                        self.executor.wait(self._pause())
                outcome = Outcome.of(self._state.records.values(), self._signals.count > 0)
                journal.add("closed", **vars(outcome))
                return outcome
        finally:
            self.executor.close()

    def stop(self) -> None:
        """As Ctrl-C does: once lets running jobs save their state, twice ends them at once. From any thread."""
        self._signals.count += 1

    def _open(self, journal: Journal) -> None:
        """Reads what happened before, and resumes there."""
        self._started, self._started_timer = self._clock(), self._timer()
        self._notified_at, self._polled_at = self._started_timer, -float("inf")
        self._stopping = self._stopped_now = False
        self._requested: dict[str, str] = {}  # running jobs that were asked to end: why
        self._deadlines: dict[str, float] = {}  # of cancelled ones, by the timer: when they are ended at once
        self._journal = journal
        journal.add(
            "opened", host=socket.gethostname(), pid=os.getpid(), executor=self.executor.name, jobs=len(self.plan)
        )
        self._state.open(journal)
        self._estimates = Estimates(self.plan, self._state.records, len(self._slots), self._clock)
        for job in self.plan:
            self._resume(job)
        self._state.settle()
        self._estimates.correct()

    def _resume(self, job: Job) -> None:
        """Brings a job's record in line with what its last scheduler left."""
        record = self._state.records[job.id]
        attempt = self._state.attempt(job, record.attempts)
        if record.state == "running":
            self._resume_running(attempt, record.slot, record.handle)
        elif record.state == "finished":
            absent = missing_outputs(attempt)
            if absent:
                log.warning("%s has finished, but %s is gone; it runs again", job.name, ", ".join(absent))
                self._state.set_state(job.id, "waiting", f"its output {', '.join(absent)} is gone", failures=0)
        elif record.state == "failed" and self.options.retry_failed:
            self._state.set_state(job.id, "waiting", "to be tried again", failures=0)

    def _resume_running(self, attempt: Attempt, slot: str, handle: str) -> None:
        """An attempt that ran when its scheduler ended: takes its result, or adopts it, or lets the job wait again."""
        ident = attempt.job.id
        self._state.attempts[ident] = attempt
        result = read_result(attempt)
        if result is None and self.executor.adopt(attempt, handle):
            self._state.assigned[self._slot_for(slot, ident)] = ident
            return
        result = result or read_result(attempt)
        if result is not None:
            if result.status == INTERRUPTED and result.reason.startswith("stopped"):
                self._requested[ident] = "stop"  # by the scheduler that is gone
            self._conclude(result)
        else:
            del self._state.attempts[ident]
            self._state.set_state(ident, "waiting", "its scheduler ended before it did")

    def _slot_for(self, name: str, ident: str) -> str:
        """The slot of an adopted job: its own, or a free one where that is taken or gone, or else an extra one."""
        free = [slot.name for slot in self._slots if slot.name not in self._state.assigned]
        return name if name in free else free[0] if free else f"{name}+{ident}"

    def _step(self) -> bool:
        """One turn: handles signals, requests and results, and starts jobs. Returns whether everything is done."""
        self._handle_signals()
        for result in self.executor.poll():
            self._conclude(result)
        if not self._stopping:
            self._start_ready()
        if self._is_over():
            self._poll_requests()  # one may have come in meanwhile
        over = self._is_over()
        self._notify(now=over)
        return over

    def _is_over(self) -> bool:
        return not self._state.attempts if self._stopping else self._state.is_over()

    def _pause(self) -> float:
        """Seconds to sleep at most."""
        retry = self._state.next_retry()
        pause = NOTIFY_SECONDS if self._state.changed else POLL_SECONDS
        return max(0.0, pause if retry is None else min(pause, retry))

    def _handle_signals(self) -> None:
        """Stops jobs as the user asks; polls the requests of other processes from time to time."""
        if self._signals.count >= 1 and not self._stopping:
            self._stopping = self._state.changed = True
            for ident, attempt in self._state.attempts.items():
                self._requested.setdefault(ident, "stop")
                self.executor.stop(attempt, now=False)
        if self._signals.count >= 2 and not self._stopped_now:
            self._stopped_now = True
            for attempt in list(self._state.attempts.values()):
                self.executor.stop(attempt, now=True)
        now = self._timer()
        if now - self._polled_at >= POLL_SECONDS:
            self._polled_at = now
            self._poll_requests()
            for ident in [ident for ident, deadline in self._deadlines.items() if now > deadline]:
                del self._deadlines[ident]
                self.executor.stop(self._state.attempts[ident], now=True)

    def _poll_requests(self) -> None:
        """Looks for requests of other processes."""
        for request in pending_requests(self.root):
            self._apply_request(request)

    def _apply_request(self, request: Request) -> None:
        """Does what a request asks for; jobs that run are asked to end first."""
        for ident in apply_request(request, self.plan, self._state.records, self._journal):
            if self._requested.get(ident) != "cancel":
                self._requested[ident] = "cancel"
                self._deadlines[ident] = self._timer() + self.options.grace
                self.executor.stop(self._state.attempts[ident], now=False)
        self._state.settle()

    def _start_ready(self) -> None:
        """Starts the most urgent jobs on the free slots."""
        state, free = self._state, len(self._slots) - len(self._state.assigned)
        if not state.ready or free <= 0:
            return
        # Each job that is looked at takes a slot or reserves one, so that no more than these can start.
        due = heapq.nsmallest(free, state.due(), key=lambda ident: (-self._estimates.ranks[ident], ident))
        memory = {name: self.plan[ident].memory_mb for name, ident in state.assigned.items()}
        for ident, slot in assign([(ident, self.plan[ident].memory_mb) for ident in due], self._slots, memory):
            attempt = state.start(self.plan[ident], slot)
            handle = self.executor.start(attempt, slot)
            if handle:
                state.set_handle(attempt, handle)

    def _conclude(self, result: AttemptResult) -> None:
        """Records the end of an attempt."""
        attempt = self._state.finish(result, self._requested.get(result.job_id, ""))
        if attempt is None:
            return
        self._requested.pop(result.job_id, None)
        self._deadlines.pop(result.job_id, None)
        record = self._state.records[result.job_id]
        if record.state == "finished":
            self._estimates.job_finished()
        elif self._listener is None:
            self._log_failure(attempt, record.state, record.reason)

    def _log_failure(self, attempt: Attempt, state: str, reason: str) -> None:
        """Logs a failure, where there is no listener to show it."""
        message = "%s, attempt %d: %s; its output: %s"
        if state == "failed":
            log.warning(message, attempt.job.name, attempt.number, reason, attempt.folder / OUTPUT)
        elif state == "waiting" and not self._stopping:
            log.warning(message, attempt.job.name, attempt.number, f"{reason}; tried again", attempt.folder / OUTPUT)

    def _notify(self, now: bool) -> None:
        """Calls the listener, at once or when it is time."""
        moment = self._timer()
        pause = NOTIFY_SECONDS if self._state.changed else 1.0
        if self._listener is None or not (now or moment - self._notified_at >= pause):
            return
        self._notified_at, self._state.changed = moment, False
        left = self._estimates.time_left(self._clock(), exact=now)
        slots = [(slot, self._state.assigned.get(slot.name)) for slot in self._slots]
        elapsed = moment - self._started_timer
        self._listener(
            Snapshot(self.plan, self._state.records, slots, self._started, elapsed, left, self._stopping, self.root)
        )


class _SignalCount(StopRequest):
    """Counts SIGINT and SIGTERM. Never raises: an exception in mid-write would leave half a line in the journal."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        self.count += 1
