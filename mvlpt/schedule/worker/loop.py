"""The main loop of a worker process of the local executor: attempts come in on one pipe, results go out on another."""

from __future__ import annotations

import dataclasses
import faulthandler
import json
import os
import queue
import signal
import sys
import threading
import time
from contextlib import suppress
from typing import Any

from mvlpt.errors import MvlptError
from mvlpt.schedule.attempts import FAILED, Attempt, AttemptResult, RunCommand
from mvlpt.schedule.worker.execution import run_attempt
from mvlpt.schedule.worker.messages import attempt_of, encode
from mvlpt.schedule.worker.processes import VARIABLE, kill_marked
from mvlpt.schedule.worker.program import die_with_parent, kill_programs

_AGAIN_SECONDS = 0.05  # after which a stop is repeated that nothing took


class WorkerLoop:
    """Runs attempts one after the other, in the main thread; another thread listens to the scheduler.

    When the scheduler dies, its end of the pipe closes: the worker then kills what it started, and itself.

    Args:
        run_command: runs commands of ``mvlpt`` in this process.
        requests: file descriptor to read from: ``{"start": attempt}`` or ``{"stop": [job id, number]}`` a line.
        reports: file descriptor to write to: an :class:`AttemptResult` a line.
    """

    def __init__(self, run_command: RunCommand, requests: int, reports: int) -> None:
        for descriptor in (requests, reports):
            os.set_inheritable(descriptor, False)
        self._run_command = run_command
        self._requests = os.fdopen(requests, "rb")
        self._reports = reports
        self._queue: queue.SimpleQueue[Attempt | None] = queue.SimpleQueue()
        self._untaken: queue.SimpleQueue[tuple[str, int]] = queue.SimpleQueue()  # stops that are to be repeated
        self._lock = threading.Lock()
        self._current: tuple[str, int] | None = None  # received, and not ended yet

    def run(self) -> int:
        """Runs attempts until the scheduler closes the pipe; returns the exit status."""
        faulthandler.enable()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop_again)  # a handler, not SIG_IGN, which StopRequest would respect
        for target in (self._listen, self._repeat_stops):
            threading.Thread(target=target, daemon=True).start()
        while True:
            attempt = self._queue.get()
            if attempt is None:
                return 0
            self._run(attempt)

    def _run(self, attempt: Attempt) -> None:
        if attempt.command[:1] == ("mvlpt",):
            die_with_parent()  # during a long call into C the listening thread cannot notice
        try:
            result = run_attempt(attempt, self._run_command)
        except (MvlptError, OSError) as error:  # the result file cannot be written; the pipe still reports it
            with suppress(OSError):  # standard error is a file on the disk that may be full
                print(f"error: {error}", file=sys.stderr, flush=True)
            result = AttemptResult(*attempt.key, FAILED, 0.0, str(error))
        finally:
            die_with_parent(0)
            with self._lock:
                self._current = None
        with suppress(BrokenPipeError):  # the listening thread notices too
            os.write(self._reports, encode(dataclasses.asdict(result)))

    def _listen(self) -> None:
        for line in self._requests:
            message: dict[str, Any] = json.loads(line)
            if "start" in message:
                attempt = attempt_of(message["start"])
                with self._lock:
                    self._current = attempt.key
                self._queue.put(attempt)
            else:
                self._stop(tuple(message["stop"]))
        with self._lock:
            busy = self._current is not None
        if busy:
            kill_programs()
            own = os.environ.get(VARIABLE)
            kill_marked(lambda value: value == own)  # what has left its program's group
            if os.getpgrp() == os.getpid():  # as the executor starts us: data loaders are in our group
                os.killpg(0, signal.SIGKILL)
            os._exit(1)
        self._queue.put(None)

    def _stop(self, key: tuple[str, int]) -> None:
        with self._lock:  # or the signal could meet the attempt that comes next
            if self._current == key:
                signal.pthread_kill(threading.main_thread().ident, signal.SIGTERM)

    def _stop_again(self, number: int, frame: object) -> None:
        """Handles a signal that no command takes: an attempt that is about to begin is to get it all the same."""
        if (key := self._current) is not None:
            self._untaken.put(key)  # which may be called wherever the signal comes

    def _repeat_stops(self) -> None:
        while True:
            key = self._untaken.get()
            time.sleep(_AGAIN_SECONDS)
            self._stop(key)
