"""How long the rest of a plan will take, kept up to date while it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mvlpt.schedule.corrections import corrected_seconds
from mvlpt.schedule.jobs import Plan
from mvlpt.schedule.priorities import time_left, upward_ranks
from mvlpt.schedule.records import JobRecord

ESTIMATE_SECONDS = 1.0  # the time left is computed no more often: large plans have many jobs to add up
CORRECT_SECONDS = 2.0  # nor are the estimates corrected


class Estimates:
    """Durations, priorities and the time left, recomputed when that is worth it.

    Args:
        plan: the jobs.
        records: what happens to them; a live view.
        slots: their number.
        clock: gives Unix seconds.

    Attributes:
        ranks: by job id, how urgent it is: the seconds of the longest chain of work that it begins.
    """

    def __init__(self, plan: Plan, records: Mapping[str, JobRecord], slots: int, clock: Callable[[], float]) -> None:
        self._plan, self._records, self._slots, self._clock = plan, records, slots, clock
        self._left = self._estimated_at = 0.0
        self.correct()

    def job_finished(self) -> None:
        """Corrects the estimates, unless that was done just now."""
        if not 0 <= self._clock() - self._corrected_at < CORRECT_SECONDS:
            self.correct()

    def time_left(self, moment: float, *, exact: bool = False) -> float:
        """Seconds until everything is done.

        Args:
            moment: the time now.
            exact: add up all jobs now, however lately that was done.
        """
        if exact or not 0 <= moment - self._estimated_at < ESTIMATE_SECONDS:
            self._estimated_at = moment
            self._left = time_left(self._plan, self._records, self._seconds, self._slots, moment)
        return max(0.0, self._left - (moment - self._estimated_at))

    def correct(self) -> None:
        """Corrects the estimates, and with them the order, by the jobs that have finished."""
        self._corrected_at = self._clock()
        self._seconds = corrected_seconds(self._plan, self._records)
        self.ranks = upward_ranks(self._plan, self._seconds)
