"""What a SLURM job runs on its node: attempts, which save their state when SLURM wants the node back."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from mvlpt.errors import BAD_INPUT, INTERRUPTED, ScheduleError
from mvlpt.io import read_json, write_json
from mvlpt.schedule.attempts import OUTPUT, TIMED_OUT, Attempt, AttemptResult, RunCommand, read_result, write_result
from mvlpt.schedule.worker.execution import run_attempt

_WITHDRAWN = "withdrawn.json"  # in an attempt's folder: the scheduler no longer wants it
_STAGE = "slurm"  # below it: where an attempt's result is kept until it is known that SLURM will not run it again
_POLL_SECONDS = 0.5
_KEEPS_PROCESS = (0, BAD_INPUT, INTERRUPTED)


def withdraw(attempt: Attempt, *, now: bool = False) -> None:
    """Asks the job of an attempt to let it save its state and end, or to end it at once, or not to begin."""
    write_json({"time": time.time(), "now": now}, attempt.folder / _WITHDRAWN)


def withdrawn(attempt: Attempt) -> bool:
    """Whether :func:`withdraw` was called for it."""
    return (attempt.folder / _WITHDRAWN).exists()


def staged(attempt: Attempt) -> Attempt:
    """The attempt with the folder that it uses on the node."""
    return replace(attempt, folder=attempt.folder / _STAGE)


def has_begun(attempt: Attempt) -> bool:
    """Whether its job has come to it. One that was withdrawn before does not run."""
    return staged(attempt).folder.exists()


class SlurmJob:
    """The callable that submitit takes to the node; it runs attempts one after the other.

    SLURM has two ways to say that it wants the node back: SIGUSR2 some time before the time limit, and SIGTERM to all
    processes of the job before it kills them (preemption, cancelling). Either way the command saves its state. After
    SIGUSR2 submitit puts the job back into the queue. After SIGTERM nothing is written: SLURM either runs the job again
    or shows it as result, and only it knows which. The same command continues from its saved state, and attempts that
    have a result are passed over.

    Args:
        attempts: what to run, in this order.
        run_command: see :func:`mvlpt.schedule.worker.run_attempt`.
    """

    def __init__(self, attempts: Sequence[Attempt], run_command: RunCommand | None = None) -> None:
        self.attempts = attempts
        self.run_command = run_command

    def __call__(self) -> None:
        """Runs on the node.

        Raises:
            SystemExit: the job is to be run again, or SLURM has cancelled it.
        """
        inside = self.run_command
        for position, attempt in enumerate(self.attempts, start=1):
            goes_on, clean = self._run(attempt, inside, last=position == len(self.attempts))
            if not goes_on:
                return
            inside = inside if clean else None  # a command that failed may have left this process unusable

    def _run(self, attempt: Attempt, run_command: RunCommand | None, *, last: bool) -> tuple[bool, bool]:
        """Runs one attempt; returns whether the next may start, and whether this process may run it inside."""
        if read_result(attempt) is not None:
            return True, True
        on_node = staged(attempt)
        attempt.folder.mkdir(parents=True, exist_ok=True)
        if withdrawn(attempt):
            return True, True
        on_node.folder.mkdir(parents=True, exist_ok=True)
        if withdrawn(attempt):  # between the two, so that the scheduler may take it for one that will not begin
            return True, True
        with suppress(FileExistsError):
            (attempt.folder / OUTPUT).symlink_to(os.path.join(_STAGE, OUTPUT))
        requeue = signal.getsignal(signal.SIGUSR2)  # submitit's
        with _requests_to_stop(attempt) as received:
            result = run_attempt(on_node, run_command)
        if result.status == 0 or withdrawn(attempt):
            write_result(attempt, result)
            if received and not last:
                self._requeue(None, result, requeue)
        elif received:
            self._requeue(attempt, result, requeue)
        elif result.status == INTERRUPTED or result.reason.startswith("stopped"):
            raise SystemExit(INTERRUPTED)
        else:
            write_result(attempt, result)
        return not received, result.status in _KEEPS_PROCESS

    def checkpoint(self) -> Any:
        """What submitit is to run the next time."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(SlurmJob(self.attempts, self.run_command))

    def _requeue(self, attempt: Attempt | None, result: AttemptResult, requeue: Any) -> None:
        """Puts the job back into the queue; once its continuations are used up, the attempt that it stopped fails."""
        from submitit.core.utils import UncompletedJobError

        try:
            requeue(signal.SIGUSR2, None)
        except UncompletedJobError:
            reason = "ran into SLURM's time limit and was not put back into the queue again"
            if attempt is not None:
                write_result(attempt, replace(result, status=TIMED_OUT, reason=reason))


def _at_once(attempt: Attempt) -> bool:
    """Whether an attempt that was withdrawn is not to save its state."""
    try:
        return read_json(attempt.folder / _WITHDRAWN, error=ScheduleError)["now"] is True
    except (ScheduleError, KeyError, TypeError):
        return False


@contextmanager
def _requests_to_stop(attempt: Attempt) -> Iterator[list[int]]:
    """Context in which a SIGUSR2, or the scheduler's withdrawal, reaches the command as SIGTERM.

    SLURM sends SIGUSR2 to all processes of a job, and it would end those that do not know it; they inherit that it is
    blocked, and this process waits for it in a thread.

    Yields:
        a list that holds the signal once it has come.
    """
    received: list[int] = []
    sent: list[int] = []
    over = threading.Event()
    main = threading.main_thread().ident

    def terminate() -> None:
        sent.append(signal.SIGTERM)
        signal.pthread_kill(main, signal.SIGTERM)  # to this thread, so that it ends a system call there

    def handle(number: int, frame: object = None) -> None:
        if not received:
            received.append(number)
            terminate()

    def watch() -> None:
        while not over.is_set():
            if signal.sigtimedwait({signal.SIGUSR2}, _POLL_SECONDS) is not None:
                handle(signal.SIGUSR2)
            elif withdrawn(attempt) and len(sent) < 1 + _at_once(attempt):
                terminate()  # a second time ends it at once

    before = signal.signal(signal.SIGUSR2, handle)  # threads that libraries have started may still receive it
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield received
    finally:
        over.set()
        thread.join()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR2})
        signal.signal(signal.SIGUSR2, before)
