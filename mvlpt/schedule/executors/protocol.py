"""The protocol of executors.

The scheduler decides which attempt starts on which slot and what happens after it ends; an executor only starts
attempts, reports which have ended, and stops them. Whatever process runs an attempt calls
:func:`mvlpt.schedule.worker.run_attempt`, so that results look the same everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from mvlpt.schedule.attempts import Attempt, AttemptResult
from mvlpt.schedule.slots import Slot


class Executor(Protocol):
    """Runs attempts somewhere. All methods are called from one thread."""

    name: str

    def slots(self) -> Sequence[Slot]:
        """The capacity; a cluster executor gives as many slots as attempts may be in flight."""

    def start(self, attempt: Attempt, slot: Slot) -> str:
        """Starts an attempt; returns a handle that is journalled (process id, SLURM job id, ...).

        Must not raise because of the job itself: its failure is reported by :meth:`poll`.
        """

    def poll(self) -> list[AttemptResult]:
        """The attempts that ended since the last call. Does not wait."""

    def wait(self, timeout: float) -> None:
        """Returns as soon as :meth:`poll` may have results, at the latest after ``timeout`` seconds."""

    def stop(self, attempt: Attempt, *, now: bool) -> None:
        """Asks an attempt to save its state and end, or ends it at once. :meth:`poll` reports its result."""

    def adopt(self, attempt: Attempt, handle: str) -> bool:
        """Takes over an attempt of a scheduler that is gone.

        Returns:
            True if it still runs and :meth:`poll` will report it. Otherwise nothing of it is left running.
        """

    def close(self) -> None:
        """Ends everything this executor keeps running on this machine."""
