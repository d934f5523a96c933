"""Jobs in this very process, one after the other: for debugging, since breakpoints work and output is seen at once."""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass

from mvlpt.errors import MvlptError
from mvlpt.schedule.executors.protocol import Attempt, Ended, RunCommand
from mvlpt.schedule.slots import Slot
from mvlpt.schedule.worker.attempt import FAILED, INTERRUPTED, WarmCommand, carry_out


@dataclass(frozen=True)
class InlineOptions:
    """There are none."""


class InlineExecutor:
    """Carries an attempt out when it is started.

    Args:
        run_command: ``mvlpt.cli.main``; without it, commands of ``mvlpt`` are run as programs.
    """

    name = "inline"

    def __init__(self, run_command: RunCommand | None = None) -> None:
        self._command = None if run_command is None else WarmCommand(run_command)
        self._ended: list[Ended] = []

    def slots(self) -> Sequence[Slot]:
        """One."""
        return [Slot("inline")]

    def start(self, attempt: Attempt, slot: Slot) -> str:
        """Runs the attempt to its end; Ctrl-C meanwhile stops it, and then the scheduler."""
        try:
            ended = carry_out(attempt, self._command, capture=False, may_exit=False)
        except (MvlptError, OSError) as error:
            ended = Ended(*attempt.key, FAILED, 0.0, str(error))
        self._ended.append(ended)
        if ended.status == INTERRUPTED and ended.reason.startswith("stopped"):
            signal.raise_signal(signal.SIGINT)  # the command took the signal that was meant for the scheduler too
        return ""

    def poll(self) -> list[Ended]:
        """The attempts carried out since the last call."""
        ended, self._ended = self._ended, []
        return ended

    def wait(self, timeout: float) -> None:
        """Sleeps where there is nothing to tell."""
        if not self._ended:
            time.sleep(max(0.0, timeout))

    def stop(self, attempt: Attempt, *, now: bool) -> None:
        """Nothing runs while the scheduler could ask."""

    def adopt(self, attempt: Attempt, handle: str) -> bool:
        """Never: what ran in a process ended with it."""
        return False

    def close(self) -> None:
        """There is nothing to end."""
