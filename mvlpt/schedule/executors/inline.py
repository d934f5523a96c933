"""Jobs in the scheduler's own process, one after the other: for debugging, where breakpoints work."""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from importlib import import_module

from mvlpt.errors import INTERRUPTED, MvlptError
from mvlpt.schedule.attempts import FAILED, Attempt, AttemptResult, RunCommand
from mvlpt.schedule.executors.registry import ExecutorSpec, register_executor
from mvlpt.schedule.slots import Slot
from mvlpt.schedule.worker.execution import run_attempt


def run_here(words: Sequence[str]) -> int:
    """Runs ``mvlpt WORDS`` in this process, as a worker of the local executor does; returns the exit status.

    The commands stand above this room, which knows no more of them than their names (as in ``python -m mvlpt.cli``).
    """
    return import_module("mvlpt.cli.warm").run_warm(words)


class InlineExecutor:
    """Runs an attempt when it is started.

    Args:
        run_command: runs commands of ``mvlpt`` in this process; without it they are run as programs.
    """

    name = "inline"

    def __init__(self, run_command: RunCommand | None = None) -> None:
        self._run_command = run_command
        self._results: list[AttemptResult] = []

    def slots(self) -> Sequence[Slot]:
        """One."""
        return [Slot("inline")]

    def start(self, attempt: Attempt, slot: Slot) -> str:
        """Runs the attempt to its end; Ctrl-C meanwhile stops it, and then the scheduler."""
        try:
            result = run_attempt(attempt, self._run_command, capture=False, may_exit=False)
        except (MvlptError, OSError) as error:
            result = AttemptResult(*attempt.key, FAILED, 0.0, str(error))
        self._results.append(result)
        if result.status == INTERRUPTED and result.reason.startswith("stopped"):
            _raise_again()
        return ""

    def poll(self) -> list[AttemptResult]:
        """The attempts that were run since the last call."""
        results, self._results = self._results, []
        return results

    def wait(self, timeout: float) -> None:
        """Sleeps where there is nothing to report."""
        if not self._results:
            time.sleep(max(0.0, timeout))

    def stop(self, attempt: Attempt, *, now: bool) -> None:
        """Nothing runs while the scheduler could ask."""

    def adopt(self, attempt: Attempt, handle: str) -> bool:
        """Never: what ran in a process ended with it."""
        return False

    def close(self) -> None:
        """There is nothing to end."""


def _raise_again() -> None:
    """Raises the signal for the scheduler, for which it was meant too; the command took it.

    It was one that this process does not ignore, as programs in the background of a script ignore Ctrl-C.
    """
    ignores_ctrl_c = signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    signal.raise_signal(signal.SIGTERM if ignores_ctrl_c else signal.SIGINT)


register_executor(
    ExecutorSpec(
        "inline",
        help="in the scheduler's own process, one job after the other, for debugging",
        build=lambda options, run_command: InlineExecutor(run_command or run_here),
        prints_here=True,
    )
)
