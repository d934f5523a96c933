"""Stopping what an attempt runs: its time limit, and signals passed on to a program."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from mvlpt.schedule.attempts import Attempt
from mvlpt.schedule.worker.program import Program


def terminate_self() -> None:
    """As if the process had been sent SIGTERM; a signal to the main thread also ends a system call there."""
    signal.pthread_kill(threading.main_thread().ident, signal.SIGTERM)


class TimeLimit:
    """Context that asks an attempt to stop when its time is up, and ends it once its grace is over, too.

    Args:
        attempt: with the limit; nothing is done where it has none.
        ask: asks it to save its state and end.
        end: ends it at once; None where nothing can.

    Attributes:
        reached: its time was up.
    """

    def __init__(self, attempt: Attempt, ask: Callable[[], None], end: Callable[[], None] | None) -> None:
        self.reached = False
        self._over = threading.Event()
        self._attempt, self._ask, self._end = attempt, ask, end
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> TimeLimit:
        if self._attempt.time_limit is not None:
            self._thread.start()
        return self

    def cancel(self) -> None:
        """The command has ended."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def __exit__(self, *_: object) -> None:
        self.cancel()

    def _watch(self) -> None:
        if self._over.wait(self._attempt.time_limit):
            return
        self.reached = True
        self._ask()
        if self._over.wait(self._attempt.grace) or self._end is None:
            return
        self._end()


class ForwardSignals:
    """Context in which SIGTERM and SIGINT go to a program: the first as SIGTERM, the second as SIGKILL.

    Args:
        program: that runs in the block.

    Attributes:
        requested: a signal has come.
    """

    def __init__(self, program: Program) -> None:
        self.requested = False
        self._program = program
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> ForwardSignals:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        (self._program.kill if self.requested else self._program.terminate)()
        self.requested = True
