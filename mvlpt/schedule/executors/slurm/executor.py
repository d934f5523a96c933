"""Jobs on a SLURM cluster, submitted through submitit; they outlive the scheduler, which finds them again."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

from mvlpt.errors import BAD_INPUT, INTERRUPTED, OUT_OF_MEMORY, ScheduleError
from mvlpt.io import read_json, write_json
from mvlpt.schedule.attempts import FAILED, TIMED_OUT, Attempt, AttemptResult, RunCommand, read_result
from mvlpt.schedule.executors.slurm.batches import Batch, import_submitit, passing, submit, time_limit
from mvlpt.schedule.executors.slurm.job import staged, withdraw
from mvlpt.schedule.executors.slurm.options import SlurmOptions
from mvlpt.schedule.executors.slurm.queue import Queued, cancel, read_queue, require_slurm
from mvlpt.schedule.slots import Slot

_log = logging.getLogger(__name__)
_FILE = "slurm.json"  # in the attempt's folder: the name of its batch and its place there
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


@dataclass
class _Sent:
    """An attempt that SLURM holds."""

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
        run_command: ``mvlpt.cli.main``; with it commands of ``mvlpt`` run in the job's own process.

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
        self._sent: dict[tuple[str, int], _Sent] = {}
        self._ended: list[AttemptResult] = []
        self._accepted = False  # SLURM has taken a job
        self._queue: dict[str, Queued] | None = None
        self._asked = -float("inf")

    def slots(self) -> Sequence[Slot]:
        """As many as may be queued or running."""
        device = "cuda:0" if self.options.gpus else "cpu"
        return [Slot(f"slurm{index}", device) for index in range(self.options.jobs)]

    def start(self, attempt: Attempt, slot: Slot) -> str:
        """Puts the attempt into a batch that the next poll submits; returns ``batch name/place in it``."""
        minutes, limited = time_limit(attempt, self.options)
        fitting = (batch for batch in self._open if (batch.minutes, batch.limited) == (minutes, limited))
        batch = next(fitting, None) if self.options.arrays else None
        if batch is None:
            batch = Batch(minutes, limited)
            self._open.append(batch)
        batch.attempts.append(attempt)
        _note_places(batch)
        return f"{batch.name}/{len(batch.attempts) - 1}"

    def poll(self) -> list[AttemptResult]:
        """Submits what was started since the last call, and reports what has ended."""
        self._submit()
        for key, sent in list(self._sent.items()):
            ended = self._ending(sent)
            if ended is not None:
                del self._sent[key]
                self._ended.append(ended)
        ended, self._ended = self._ended, []
        return ended

    def wait(self, timeout: float) -> None:
        """Sleeps, unless something waits to be submitted."""
        if not self._open and not self._ended:
            time.sleep(min(timeout, _SLEEP_SECONDS))

    def stop(self, attempt: Attempt, *, now: bool) -> None:
        """Withdraws the job if it waits; lets it save its state if it runs, or ends it at once."""
        for batch in self._open:
            if any(other.key == attempt.key for other in batch.attempts):
                batch.attempts = [other for other in batch.attempts if other.key != attempt.key]
                (attempt.folder / _FILE).unlink(missing_ok=True)  # its place is another's now
                _note_places(batch)
                self._ended.append(AttemptResult(*attempt.key, INTERRUPTED, 0.0, "stopped"))
                return
        sent = self._sent.get(attempt.key)
        if sent is None:
            return
        sent.stopped = True
        withdraw(attempt)
        if now:
            cancel([sent.id], "KILL")
            cancel([sent.id])
        else:
            cancel([sent.id], waiting=True)  # one that runs sees by itself that it is withdrawn
        self._asked = -float("inf")

    def adopt(self, attempt: Attempt, handle: str) -> bool:
        """Takes over a job that a scheduler before us submitted.

        Raises:
            ScheduleError: SLURM does not answer, so that nobody can tell whether the job still runs.
        """
        place = _place(attempt)
        if place is None:
            return False
        queue = self._read_queue()
        if queue is None:
            raise ScheduleError("SLURM does not answer (squeue fails), so its jobs cannot be found; try again later")
        for job in queue.values():
            if (job.name, job.place) == place:
                self._sent[attempt.key] = _Sent(attempt, job.id, time.time())
                return True
        withdraw(attempt)
        return False

    def close(self) -> None:
        """Forgets what was not submitted; what was goes on and can be adopted."""
        self._open.clear()
        self._sent.clear()

    def _submit(self) -> None:
        """Submits the open batches.

        Raises:
            ScheduleError: SLURM refuses the first job of all, so that something is wrong with the options.
        """
        while self._open:
            batch = self._open.pop(0)
            if not batch.attempts:
                continue
            try:
                ids = submit(batch, self.options, self._run_command)
            except ScheduleError as error:
                for attempt in batch.attempts:
                    withdraw(attempt)  # it may have reached the queue although the answer was lost
                if not self._accepted and not passing(error):
                    raise
                status = FAILED if passing(error) else BAD_INPUT
                self._ended += [AttemptResult(*attempt.key, status, 0.0, str(error)) for attempt in batch.attempts]
                continue
            self._accepted, self._asked = True, -float("inf")
            for attempt, ident in zip(batch.attempts, ids, strict=True):
                self._sent[attempt.key] = _Sent(attempt, ident, time.time())
                _log.info("%s is SLURM job %s", attempt.job.name, ident)

    def _ending(self, sent: _Sent) -> AttemptResult | None:
        """How the attempt ended, or None: its result decides, and the queue where there is none."""
        ended = read_result(sent.attempt)
        if ended is not None:
            return ended
        queue = self._read_queue()
        if queue is None:
            return None
        job = queue.get(sent.id)
        if job is not None and job.alive:
            sent.gone = None
            return None
        sent.gone = sent.gone or time.monotonic()
        state = job.state if job is not None else "UNKNOWN"
        left = read_result(staged(sent.attempt))
        # A job on its way back into the queue is shown as failed for a moment; it has left a result, but only staged.
        may_return = state in ("COMPLETED", "UNKNOWN") or (state == "FAILED" and left is not None)
        patience = _LATE_SECONDS if may_return and not sent.stopped else self.options.poll_seconds
        if time.monotonic() - sent.gone < patience:
            return None
        if left is not None and left.status == TIMED_OUT:  # it had to kill itself
            return left
        seconds = time.time() - sent.since
        if sent.stopped:
            return AttemptResult(*sent.attempt.key, INTERRUPTED, seconds, "stopped")
        status = OUT_OF_MEMORY if state == "OUT_OF_MEMORY" else FAILED
        reason = f"SLURM job {sent.id} {_STATES.get(state, f'ended as {state}')}"
        return AttemptResult(*sent.attempt.key, status, seconds, reason)

    def _read_queue(self) -> dict[str, Queued] | None:
        """The queue, asked again once the last answer is too old."""
        if time.monotonic() - self._asked >= self.options.poll_seconds:
            self._queue, self._asked = read_queue(), time.monotonic()
            if self._queue is None:
                _log.warning("SLURM does not answer (squeue fails); waiting")
        return self._queue


def _note_places(batch: Batch) -> None:
    """Writes where each attempt will be found in the queue into its folder."""
    for place, attempt in enumerate(batch.attempts):
        write_json({"batch": batch.name, "place": place}, attempt.folder / _FILE)


def _place(attempt: Attempt) -> tuple[str, int] | None:
    """Batch and place of an attempt, or None where it never got one."""
    if not (attempt.folder / _FILE).exists():
        return None
    noted = read_json(attempt.folder / _FILE)
    return noted["batch"], noted["place"]
