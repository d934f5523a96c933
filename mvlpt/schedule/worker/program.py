"""A job that is a program of its own: a process group that is killed as a whole."""

from __future__ import annotations

import ctypes
import functools
import os
import resource
import signal
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from mvlpt.schedule.interpreter import python_module

if TYPE_CHECKING:
    from mvlpt.schedule.attempts import Attempt

_PR_SET_PDEATHSIG = 1
CANNOT_START = 2  # as bad input: it will not start next time either
_running: set[Program] = set()  # of this process


@functools.cache
def _prctl() -> Callable[[int, int], int]:
    """Linux's call; does nothing elsewhere."""
    with suppress(OSError, AttributeError):
        return ctypes.CDLL(None).prctl
    return lambda option, value: 0


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """Lets Linux send this process a signal when the thread that started it ends; 0 undoes that."""
    _prctl()(_PR_SET_PDEATHSIG, int(number))


class Program:
    """The program of an attempt.

    Args:
        attempt: whose command is run, in a process group of its own.
    """

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._lock = threading.RLock()  # a signal handler may come while the lock is held
        self._process: subprocess.Popen[bytes] | None = None
        self._pending: int | None = None
        self._over = False

    def run(self) -> tuple[int, str, float]:
        """Starts the program and waits for it; what it leaves running is killed.

        Returns:
            Exit status (negative: number of a signal), reason or ``""``, peak main memory in MiB (0 if no more than
            this process has).
        """
        command = list(self._attempt.command)
        if command[0] == "mvlpt":
            command = [*python_module("mvlpt.cli"), *command[1:]]
        _running.add(self)
        with self._lock:
            try:
                process = self._process = self._start(command)
            except (OSError, ValueError, subprocess.SubprocessError) as error:
                _running.discard(self)
                why = getattr(error, "strerror", None) or error
                return CANNOT_START, f"'{command[0]}' cannot be started: {why}", 0.0
            if self._pending is not None:
                self._send(self._pending)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # its id stays taken until we have killed the group
        with self._lock:
            self._send(signal.SIGKILL)
            self._over = True
        _running.discard(self)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # a child's peak begins at that of its parent
        return process.returncode, "", usage.ru_maxrss / 1024 if usage.ru_maxrss > own else 0.0

    def _start(self, command: list[str]) -> subprocess.Popen[bytes]:
        _prctl()  # loaded before the fork, after which locks of other threads may never be released
        return subprocess.Popen(
            command,
            cwd=self._attempt.working_folder,
            env={**os.environ, **self._attempt.environment},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=die_with_parent,
        )

    def terminate(self) -> None:
        """Asks the program to end."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """Ends it."""
        self._send(signal.SIGKILL)

    def _send(self, number: int) -> None:
        with self._lock:
            if self._process is None:
                self._pending = number
            elif not self._over:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(self._process.pid, number)


def kill_programs() -> None:
    """Kills the programs that this process runs, with all they started in their groups."""
    for program in list(_running):
        program.kill()
