"""What is left to do, by a clock that the test sets."""

import pytest
from support.plans import shell_job

from mvlpt.schedule.estimates import Estimates
from mvlpt.schedule.jobs import Plan
from mvlpt.schedule.records import JobRecord


@pytest.fixture
def world():
    """Two jobs of 10 s, the second needing the first, one slot, and a clock."""
    first = shell_job("first", "true", seconds=10.0)
    second = shell_job("second", "true", needs=(first,), seconds=10.0)
    records = {first.id: JobRecord(), second.id: JobRecord()}
    clock = [1000.0]
    return first, second, records, clock, Estimates(Plan([first, second]), records, 1, lambda: clock[0])


def test_the_time_left_counts_down_between_estimates(world):
    first, _, records, _, estimates = world
    assert estimates.time_left(1000.0) == pytest.approx(20)
    records[first.id].state, records[first.id].seconds = "finished", 10.0
    assert estimates.time_left(1000.5) == pytest.approx(19.5)  # not computed again yet
    assert estimates.time_left(1000.5, exact=True) == pytest.approx(10)
    assert estimates.time_left(900.0) == pytest.approx(10)  # a clock that was set back


def test_estimates_follow_the_jobs_that_finished_but_not_at_every_one(world):
    first, second, records, clock, estimates = world
    assert estimates.ranks == {first.id: 20, second.id: 10}
    records[first.id].state, records[first.id].seconds = "finished", 30.0
    clock[0] += 0.5
    estimates.job_finished()
    assert estimates.ranks[second.id] == 10
    clock[0] += 2
    estimates.job_finished()
    assert estimates.ranks[second.id] == 30
