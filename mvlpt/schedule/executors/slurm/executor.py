"""Jobs on a SLURM cluster, submitted through submitit; they outlive the scheduler, which finds them again."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

from mvlpt.errors import BAD_INPUT, INTERRUPTED, OUT_OF_MEMORY, ScheduleError
from mvlpt.schedule.attempts import FAILED, TIMED_OUT, Attempt, AttemptResult, RunCommand, read_result
from mvlpt.schedule.executors.slurm.batches import (
    Batch,
    import_submitit,
    is_array_limit,
    is_cluster_full,
    is_shared_limit,
    is_temporary,
    is_user_limit,
    submit,
    time_limit,
)
from mvlpt.schedule.executors.slurm.indices import index_file, read_index, write_index, write_indices
from mvlpt.schedule.executors.slurm.job import has_begun, staged, withdraw
from mvlpt.schedule.executors.slurm.options import SlurmOptions
from mvlpt.schedule.executors.slurm.queue import QueuedJob, cancel, largest_array, read_queue, require_slurm
from mvlpt.schedule.slots import Slot

_log = logging.getLogger(__name__)
_STATES = {
    "TIMEOUT": "ran into its time limit",
    "NODE_FAIL": "lost its node",
    "CANCELLED": "was cancelled in SLURM",
    "FAILED": "ended without a result",
    "OUT_OF_MEMORY": "ran out of main memory",
    "PREEMPTED": "was preempted",
    "COMPLETED": "ended without a result",
    "UNKNOWN": "is gone without a result",
}
_SLEEP_SECONDS = 0.25
_LATE_SECONDS = 30.0  # a shared file system may show a result that late
FULL_SECONDS = 15.0  # after which a submission is tried again that exceeded the limit of the user's jobs


@dataclass
class _Submitted:
    """An attempt that is a job of SLURM's."""

    attempt: Attempt
    id: str
    since: float
    stopped: bool = False
    gone: float | None = None  # when the queue first said that it is over


class SlurmExecutor:
    """Runs each attempt as a SLURM job.

    The scheduler, its folder and the nodes share a file system. Attempts that are started between two polls go as one
    array. The batch's name is written into the attempt's folder before SLURM hears of it, so that no crash loses a job.

    Args:
        options: partition, limits and the like.
        run_command: runs commands of ``mvlpt`` in the job's own process; without it they are run as programs.

    Raises:
        MissingExtraError: submitit is not installed.
        ScheduleError: SLURM's commands are not on this machine.
    """

    name = "slurm"

    def __init__(self, options: SlurmOptions | None = None, run_command: RunCommand | None = None) -> None:
        import_submitit()
        require_slurm()
        self.options = options or SlurmOptions()
        self._run_command = run_command
        self._open: list[Batch] = []
        self._submitted: dict[tuple[str, int], _Submitted] = {}
        self._results: list[AttemptResult] = []
        self._active: set[str] = set()  # ids of jobs of which an attempt has ended
        self._accepted = False  # SLURM has taken a job
        self._array_size = 0  # jobs of an array at most; 0 before it is known
        self._full_until = -float("inf")
        self._queue: dict[str, QueuedJob] | None = None
        self._queue_read_at = -float("inf")

    def slots(self) -> Sequence[Slot]:
        """As many as may be queued or running."""
        device = "cuda:0" if self.options.gpus else "cpu"
        return [Slot(f"slurm{index}", device) for index in range(self.options.jobs * self.options.pack)]

    def start(self, attempt: Attempt, slot: Slot) -> str:
        """Puts the attempt into a batch that the next poll submits; returns ``batch name/number in it``."""
        minutes, limited = time_limit(attempt, self.options)
        self._array_size = self._array_size or (largest_array() if self.options.arrays else 1)
        most = self._array_size * self.options.pack
        fitting = (
            batch
            for batch in self._open
            if (batch.minutes, batch.limited) == (minutes, limited) and len(batch.attempts) < most
        )
        batch = next(fitting, None)
        if batch is None:
            batch = Batch(minutes, limited, pack=self.options.pack)
            self._open.append(batch)
        batch.attempts.append(attempt)
        write_index(batch, len(batch.attempts) - 1)
        return f"{batch.name}/{len(batch.attempts) - 1}"

    def poll(self) -> list[AttemptResult]:
        """Submits what was started since the last call, and reports what has ended."""
        self._submit()
        for key, submitted in list(self._submitted.items()):
            result = self._result(submitted)
            if result is not None:
                del self._submitted[key]
                self._active.add(submitted.id)
                self._results.append(result)
                self._full_until = -float("inf")  # there is room for another job
        results, self._results = self._results, []
        return results

    def wait(self, timeout: float) -> None:
        """Sleeps, unless something waits to be submitted."""
        if self._results or (self._open and time.monotonic() >= self._full_until):
            return
        time.sleep(min(timeout, _SLEEP_SECONDS))

    def stop(self, attempt: Attempt, *, now: bool) -> None:
        """Withdraws the job if it waits; lets it save its state if it runs, or ends it at once."""
        for batch in self._open:
            if any(other.key == attempt.key for other in batch.attempts):
                batch.attempts = [other for other in batch.attempts if other.key != attempt.key]
                index_file(attempt).unlink(missing_ok=True)  # its index is another's now
                write_indices(batch)
                self._results.append(AttemptResult(*attempt.key, INTERRUPTED, 0.0, "stopped"))
                return
        submitted = self._submitted.get(attempt.key)
        if submitted is None:
            return
        submitted.stopped = True
        withdraw(attempt, now=now)
        if all(other.stopped for other in self._of_job(submitted.id)):  # not while it has others to run
            if now:
                cancel([submitted.id], "KILL")
                cancel([submitted.id])
            else:
                cancel([submitted.id], waiting=True)  # one that runs sees by itself that it is withdrawn
        elif not has_begun(attempt):
            del self._submitted[attempt.key]
            self._results.append(AttemptResult(*attempt.key, INTERRUPTED, 0.0, "stopped"))
        self._queue_read_at = -float("inf")

    def adopt(self, attempt: Attempt, handle: str) -> bool:
        """Takes over a job that an earlier scheduler submitted.

        Raises:
            ScheduleError: SLURM does not answer, so that nobody can know whether the job still runs.
        """
        position = read_index(attempt)
        if position is None:
            return False
        queue = self._read_queue()
        if queue is None:
            raise ScheduleError("SLURM does not answer (squeue fails), so its jobs cannot be found; try again later")
        for job in queue.values():
            if (job.name, job.index) == position:
                self._submitted[attempt.key] = _Submitted(attempt, job.id, time.monotonic())
                return True
        withdraw(attempt)
        return False

    def close(self) -> None:
        """Drops what was not submitted; what was continues and can be adopted."""
        self._open.clear()
        self._submitted.clear()

    def _of_job(self, ident: str) -> list[_Submitted]:
        """The attempts that a job of SLURM's has not ended yet."""
        return [submitted for submitted in self._submitted.values() if submitted.id == ident]

    def _submit(self) -> None:
        """Submits the open batches. One that exceeds a limit is halved; a single job waits for the user's other jobs.

        Raises:
            ScheduleError: SLURM refuses the first job of all, so that something is wrong with the options.
        """
        if time.monotonic() < self._full_until:
            return
        while self._open:
            batch = self._open.pop(0)
            if not batch.attempts:
                continue
            if batch.pack > 1:
                write_indices(batch)  # they depend on how many attempts there are
            try:
                ids = submit(batch, self.options, self._run_command)
            except ScheduleError as error:
                if is_array_limit(error) and batch.jobs > 1:
                    self._array_size = max(1, batch.jobs // 2)
                    self._split(batch)
                    continue
                if (is_user_limit(error) or is_cluster_full(error)) and self._make_room(batch, error):
                    if batch.jobs == 1:
                        return
                    continue
                self._refuse(batch, error)
                continue
            self._accepted, self._queue_read_at = True, -float("inf")
            for attempt, ident in zip(batch.attempts, ids, strict=True):
                self._submitted[attempt.key] = _Submitted(attempt, ident, time.monotonic())
                _log.info("%s is SLURM job %s", attempt.job.name, ident)

    def _make_room(self, batch: Batch, error: ScheduleError) -> bool:
        """Splits a batch that exceeds the limit, or lets a single job wait until others have ended.

        Returns:
            False where the user is at the limit without any job, so that no wait would help.
        """
        if batch.jobs > 1:
            self._split(batch)
            return True
        queue = self._read_queue()
        idle = not self._submitted and queue is not None and not any(job.alive for job in queue.values())
        if idle and not is_shared_limit(error):
            return False
        _log.warning("SLURM takes no more jobs now; waiting (%s)", error)
        self._open.insert(0, batch)
        self._full_until = time.monotonic() + FULL_SECONDS
        return True

    def _split(self, batch: Batch) -> None:
        """Puts the halves of a batch where it was."""
        halves = batch.halved()
        for half in halves:
            write_indices(half)
        self._open[:0] = halves

    def _refuse(self, batch: Batch, error: ScheduleError) -> None:
        """Reports the attempts of a batch that SLURM does not take as failed.

        Raises:
            ScheduleError: it has taken none so far, and will not take this one later either.
        """
        for attempt in batch.attempts:
            withdraw(attempt)  # it may have reached the queue although the answer was lost
        if not self._accepted and not is_temporary(error):
            raise error
        status = FAILED if is_temporary(error) else BAD_INPUT
        self._results += [AttemptResult(*attempt.key, status, 0.0, str(error)) for attempt in batch.attempts]

    def _result(self, submitted: _Submitted) -> AttemptResult | None:
        """How the attempt ended, or None: its result file decides, and the queue where there is none."""
        result = read_result(submitted.attempt)
        if result is not None:
            return result
        queue = self._read_queue()
        if queue is None:
            return None
        job = queue.get(submitted.id)
        if job is not None and job.alive:
            submitted.gone = None
            return None
        submitted.gone = submitted.gone or time.monotonic()
        state = job.state if job is not None else "UNKNOWN"
        left = read_result(staged(submitted.attempt))
        # A job on its way back into the queue is shown as failed for a moment; it has left a result, but only staged.
        saved = any(read_result(staged(other.attempt)) is not None for other in self._of_job(submitted.id))
        may_return = state in ("COMPLETED", "UNKNOWN") or (state == "FAILED" and saved)
        patience = _LATE_SECONDS if may_return and not submitted.stopped else self.options.poll_seconds
        if time.monotonic() - submitted.gone < patience:
            return None
        if left is not None and left.status == TIMED_OUT:  # it had to kill itself
            return left
        seconds = time.monotonic() - submitted.since
        if submitted.stopped:
            return AttemptResult(*submitted.attempt.key, INTERRUPTED, seconds, "stopped")
        if self._was_left_over(submitted):
            del self._submitted[submitted.attempt.key]
            self.start(submitted.attempt, Slot(""))
            return None
        status = OUT_OF_MEMORY if state == "OUT_OF_MEMORY" else FAILED
        reason = f"SLURM job {submitted.id} {_STATES.get(state, f'ended as {state}')}"
        return AttemptResult(*submitted.attempt.key, status, seconds, reason)

    def _was_left_over(self, submitted: _Submitted) -> bool:
        """Whether another attempt of its job brought the job to its end before this one began."""
        ran = submitted.id in self._active or any(has_begun(other.attempt) for other in self._of_job(submitted.id))
        return ran and not has_begun(submitted.attempt)

    def _read_queue(self) -> dict[str, QueuedJob] | None:
        """The queue, read again once the last answer is too old."""
        if time.monotonic() - self._queue_read_at >= self.options.poll_seconds:
            self._queue, self._queue_read_at = read_queue(), time.monotonic()
            if self._queue is None:
                _log.warning("SLURM does not answer (squeue fails); waiting")
        return self._queue
