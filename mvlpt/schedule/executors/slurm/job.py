"""What a SLURM job carries out on its node: one attempt, and what becomes of it when SLURM wants the node back."""

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

_WITHDRAWN = "withdrawn.json"  # in an attempt's folder: the scheduler does not want it any more
_STAGE = "slurm"  # below it: where an attempt's result lies until it is known that SLURM will not run it again
_LOOK_SECONDS = 0.5


def withdraw(attempt: Attempt) -> None:
    """Tells the job of an attempt to save its state and end, or not to begin."""
    write_json({"time": time.time()}, attempt.folder / _WITHDRAWN)


def withdrawn(attempt: Attempt) -> bool:
    """Whether :func:`withdraw` was called for it."""
    return (attempt.folder / _WITHDRAWN).exists()


def staged(attempt: Attempt) -> Attempt:
    """The attempt with the folder that it uses on the node."""
    return replace(attempt, folder=attempt.folder / _STAGE)


class SlurmJob:
    """The callable that submitit takes to the node.

    SLURM tells a job in two ways that it wants the node back: by SIGUSR2 some time before the time limit, and by
    SIGTERM to all its processes before it kills them (preemption, cancelling). Either way the command saves its state.
    After SIGUSR2 submitit puts the job back into the queue. After SIGTERM nothing is written: SLURM either runs the job
    again or shows it as ended, and only it knows which. The same command goes on from its saved state.

    Args:
        attempt: what to carry out.
        run_command: as :func:`mvlpt.schedule.worker.attempt.run_attempt`'s.
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
        with _notices(attempt) as told:
            ended = run_attempt(on_node, self.run_command)
        if ended.status == 0 or withdrawn(attempt):
            write_result(attempt, ended)
        elif told:
            self._again(ended, requeue)
        elif ended.status == INTERRUPTED or ended.reason.startswith("stopped"):
            raise SystemExit(INTERRUPTED)
        else:
            write_result(attempt, ended)

    def checkpoint(self) -> Any:
        """What submitit is to run the next time."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(SlurmJob(self.attempt, self.run_command))

    def _again(self, ended: AttemptResult, requeue: Any) -> None:
        """Back into the queue, unless that has been so often enough."""
        from submitit.core.utils import UncompletedJobError

        try:
            requeue(signal.SIGUSR2, None)
        except UncompletedJobError:
            reason = "ran into SLURM's time limit and was not put back into the queue again"
            write_result(self.attempt, replace(ended, status=TIMED_OUT, reason=reason))


@contextmanager
def _notices(attempt: Attempt) -> Iterator[list[int]]:
    """Context in which a SIGUSR2, or the scheduler's withdrawal, reaches the command as SIGTERM.

    SLURM sends SIGUSR2 to all processes of a job, and it would end those that do not know it; they inherit that it is
    blocked, and this process waits for it in a thread.

    Yields:
        a list that holds the signal once it has come.
    """
    told: list[int] = []
    over = threading.Event()
    main = threading.main_thread().ident

    def tell(number: int, frame: object = None) -> None:
        if not told:
            told.append(number)
            signal.pthread_kill(main, signal.SIGTERM)  # to this thread, so that it ends a system call there

    def watch() -> None:
        while not over.is_set():
            if signal.sigtimedwait({signal.SIGUSR2}, _LOOK_SECONDS) is not None:
                tell(signal.SIGUSR2)
            elif withdrawn(attempt):
                signal.pthread_kill(main, signal.SIGTERM)
                return

    before = signal.signal(signal.SIGUSR2, tell)  # threads that libraries have started may still receive it
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield told
    finally:
        over.set()
        thread.join()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR2})
        signal.signal(signal.SIGUSR2, before)
