"""What a Ray task runs in Ray's worker process, which runs task after task."""

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


def run_task(attempt: Attempt, run_command: RunCommand | None) -> None:
    """Runs an attempt; its result is in ``result.json``.

    A process uses the GPU that it was given first as long as it lives. Where Ray gives it another one, the command runs
    as a program of its own.

    Args:
        attempt: what to run. One that has a result is skipped: Ray starts a task again whose process died,
            even if the attempt had ended by then.
        run_command: runs commands of ``mvlpt`` in this process; None runs them as programs.
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
            _run_program(attempt)


def _run_program(attempt: Attempt) -> None:
    """Runs an attempt as a program and leaves nothing of it running, even if this process is killed."""
    global _guard
    if _guard is None:
        _guard = Guard(str(attempt.root))
    try:
        run_attempt(replace(attempt, environment=_guard.environment(attempt.environment)))
    finally:
        _guard.clean()


@contextmanager
def _interruptible() -> Iterator[None]:
    """Context in which ``ray.cancel`` interrupts at once.

    Ray makes Python handle SIGINT without sending the signal, so that a system call in the main thread continues. A
    thread that learns of it through the wake-up descriptor sends a real signal, which ends the call.
    """
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    main = threading.main_thread().ident

    def listen() -> None:
        while numbers := reader.recv(64):
            if signal.SIGINT in numbers:
                signal.pthread_kill(main, signal.SIGUSR1)

    handler = signal.signal(signal.SIGUSR1, lambda number, frame: None)
    before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        writer.close()
        thread.join()
        reader.close()
        signal.signal(signal.SIGUSR1, handler)
