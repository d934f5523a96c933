"""How long jobs will take: the plan's estimates, corrected by the jobs that have finished."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mvlpt.schedule.jobs import Plan
from mvlpt.schedule.priorities import corrected_seconds, time_left, upward_ranks
from mvlpt.schedule.records import JobRecord

RECKON_SECONDS = 1.0  # the time left is not found out anew more often; large plans have many jobs to add up
CORRECT_SECONDS = 2.0  # nor are the estimates corrected


class Estimates:
    """Durations, urgencies and the time left, found out anew when that is worth it.

    Args:
        plan: the jobs.
        records: what happens to them; a live view.
        slots: places to run.
        clock: gives Unix seconds.

    Attributes:
        ranks: by job id, how urgent it is: the seconds of the longest chain of work that it begins.
    """

    def __init__(self, plan: Plan, records: Mapping[str, JobRecord], slots: int, clock: Callable[[], float]) -> None:
        self._plan, self._records, self._slots, self._clock = plan, records, slots, clock
        self._left = self._reckoned_at = 0.0
        self.correct()

    def job_finished(self) -> None:
        """Corrects the estimates, if that was not done just now."""
        if self._clock() - self._corrected_at >= CORRECT_SECONDS:
            self.correct()

    def time_left(self, moment: float, *, exact: bool = False) -> float:
        """Seconds until all is done.

        Args:
            moment: the time now.
            exact: add up all jobs now, however lately that was done.
        """
        if exact or not 0 <= moment - self._reckoned_at < RECKON_SECONDS:
            self._reckoned_at = moment
            self._left = time_left(self._plan, self._records, self._seconds, self._slots, moment)
        return max(0.0, self._left - (moment - self._reckoned_at))

    def correct(self) -> None:
        """Corrects the estimates, and with them the order, by the jobs that have finished."""
        self._corrected_at = self._clock()
        self._seconds = corrected_seconds(self._plan, self._records)
        self.ranks = upward_ranks(self._plan, self._seconds)
