"""What a SLURM job runs on its node: one attempt, which saves its state when SLURM wants the node back."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from mvlpt.errors import INTERRUPTED
from mvlpt.io import write_json
from mvlpt.schedule.attempts import OUTPUT, TIMED_OUT, Attempt, AttemptResult, RunCommand, read_result, write_result
from mvlpt.schedule.worker.execution import run_attempt

_WITHDRAWN = "withdrawn.json"  # in an attempt's folder: the scheduler no longer wants it
_STAGE = "slurm"  # below it: where an attempt's result is kept until it is known that SLURM will not run it again
_POLL_SECONDS = 0.5


def withdraw(attempt: Attempt) -> None:
    """Asks the job of an attempt to save its state and end, or not to begin."""
    write_json({"time": time.time()}, attempt.folder / _WITHDRAWN)


def withdrawn(attempt: Attempt) -> bool:
    """Whether :func:`withdraw` was called for it."""
    return (attempt.folder / _WITHDRAWN).exists()


def staged(attempt: Attempt) -> Attempt:
    """The attempt with the folder that it uses on the node."""
    return replace(attempt, folder=attempt.folder / _STAGE)


class SlurmJob:
    """The callable that submitit takes to the node.

    SLURM has two ways to say that it wants the node back: SIGUSR2 some time before the time limit, and SIGTERM to all
    processes of the job before it kills them (preemption, cancelling). Either way the command saves its state. After
    SIGUSR2 submitit puts the job back into the queue. After SIGTERM nothing is written: SLURM either runs the job again
    or shows it as result, and only it knows which. The same command continues from its saved state.

    Args:
        attempt: what to run.
        run_command: see :func:`mvlpt.schedule.worker.run_attempt`.
    """

    def __init__(self, attempt: Attempt, run_command: RunCommand | None = None) -> None:
        self.attempt = attempt
        self.run_command = run_command

    def __call__(self) -> None:
        """Runs on the node.

        Raises:
            SystemExit: the job is to be run again, or SLURM has cancelled it.
        """
        attempt, on_node = self.attempt, staged(self.attempt)
        if withdrawn(attempt) or read_result(attempt) is not None:
            return
        on_node.folder.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            (attempt.folder / OUTPUT).symlink_to(os.path.join(_STAGE, OUTPUT))
        requeue = signal.getsignal(signal.SIGUSR2)  # submitit's
        with _requests_to_stop(attempt) as received:
            result = run_attempt(on_node, self.run_command)
        if result.status == 0 or withdrawn(attempt):
            write_result(attempt, result)
        elif received:
            self._requeue(result, requeue)
        elif result.status == INTERRUPTED or result.reason.startswith("stopped"):
            raise SystemExit(INTERRUPTED)
        else:
            write_result(attempt, result)

    def checkpoint(self) -> Any:
        """What submitit is to run the next time."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(SlurmJob(self.attempt, self.run_command))

    def _requeue(self, result: AttemptResult, requeue: Any) -> None:
        """Puts the job back into the queue, unless it has used up its continuations."""
        from submitit.core.utils import UncompletedJobError

        try:
            requeue(signal.SIGUSR2, None)
        except UncompletedJobError:
            reason = "ran into SLURM's time limit and was not put back into the queue again"
            write_result(self.attempt, replace(result, status=TIMED_OUT, reason=reason))


@contextmanager
def _requests_to_stop(attempt: Attempt) -> Iterator[list[int]]:
    """Context in which a SIGUSR2, or the scheduler's withdrawal, reaches the command as SIGTERM.

    SLURM sends SIGUSR2 to all processes of a job, and it would end those that do not know it; they inherit that it is
    blocked, and this process waits for it in a thread.

    Yields:
        a list that holds the signal once it has come.
    """
    received: list[int] = []
    over = threading.Event()
    main = threading.main_thread().ident

    def handle(number: int, frame: object = None) -> None:
        if not received:
            received.append(number)
            signal.pthread_kill(main, signal.SIGTERM)  # to this thread, so that it ends a system call there

    def watch() -> None:
        while not over.is_set():
            if signal.sigtimedwait({signal.SIGUSR2}, _POLL_SECONDS) is not None:
                handle(signal.SIGUSR2)
            elif withdrawn(attempt):
                signal.pthread_kill(main, signal.SIGTERM)
                return

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
