"""Ctrl-C once: finish the step, save the state, stop. Twice: stop at once."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any


class Interrupted(Exception):  # noqa: N818 - not an error: the user asked for it
    """Training stopped between two steps because the user asked for it; its state is saved."""


class StopRequest:
    """Context in which a first SIGINT or SIGTERM sets :attr:`requested` and a second one raises KeyboardInterrupt.

    Ignored signals stay ignored. A request made to an outer context counts for the inner one too. Outside the main
    thread, where Python cannot handle signals, the context does nothing.
    """

    def __init__(self) -> None:
        self.requested = False
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                before = signal.getsignal(number)
                outer = getattr(before, "__self__", None)
                self.requested |= isinstance(outer, StopRequest) and outer.requested
                if before != signal.SIG_IGN:
                    self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous.clear()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
