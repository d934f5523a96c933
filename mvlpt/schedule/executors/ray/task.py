"""What a Ray task carries out in Ray's worker process, which lives on from task to task."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from mvlpt.schedule.attempts import Attempt, RunCommand, read_result
from mvlpt.schedule.executors.ray.guard import Guard
from mvlpt.schedule.worker.execution import run_attempt

_gpus: str | None = None  # the GPUs that this process was given when it first ran a command inside

_guard: Guard | None = None  # of the programs that this process runs


def carry_out_task(attempt: Attempt, run_command: RunCommand | None) -> None:
    """Carries an attempt out; ``result.json`` tells how it ended.

    A process uses the GPU that it has first seen as long as it lives. Where Ray gives it another one, the command runs
    as a program of its own.

    Args:
        attempt: what to run. One that has ended already is left alone: Ray starts a task again whose process died,
            even if that was after its end.
        run_command: ``mvlpt.cli.main``, or None to run all commands as programs.
    """
    global _gpus
    if read_result(attempt) is not None:
        return
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    if run_command is not None and _gpus is None:
        _gpus = visible
    inside = run_command is not None and visible == _gpus and attempt.command[:1] == ("mvlpt",)
    with _interruptible():
        if inside:
            run_attempt(attempt, run_command)
        else:
            _carry_out_program(attempt)


def _carry_out_program(attempt: Attempt) -> None:
    """Carries out an attempt of which nothing is left running, even if this process is killed."""
    global _guard
    if _guard is None:
        _guard = Guard(str(attempt.root))
    try:
        run_attempt(replace(attempt, environment=_guard.environment(attempt.environment)))
    finally:
        _guard.clean()


@contextmanager
def _interruptible() -> Iterator[None]:
    """Context in which ``ray.cancel`` is heard at once.

    Ray lets Python believe that SIGINT has come, but no signal comes, and a system call that the main thread waits in
    goes on. So a thread that hears of it sends a real signal, which ends the call.
    """
    heard, told = socket.socketpair()
    told.setblocking(False)
    main = threading.main_thread().ident

    def listen() -> None:
        while numbers := heard.recv(64):
            if signal.SIGINT in numbers:
                signal.pthread_kill(main, signal.SIGUSR1)

    handler = signal.signal(signal.SIGUSR1, lambda number, frame: None)
    before = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        told.close()
        thread.join()
        heard.close()
        signal.signal(signal.SIGUSR1, handler)
