"""Estimates that finished jobs correct."""

import pytest

from mvlpt.schedule.corrections import corrected_plan, corrected_seconds, correction_factors
from mvlpt.schedule.jobs import Job, Plan
from mvlpt.schedule.priorities import time_left
from mvlpt.schedule.records import JobRecord


def test_estimates_are_corrected_by_the_finished_jobs_of_the_same_kind():
    jobs = [
        Job("a", "train", "a", ("x",), seconds=10),
        Job("b", "train", "b", ("x",), seconds=20),
        Job("c", "evaluate", "c", ("x",), seconds=10),
        Job("d", "report", "d", ("x",), seconds=4),
    ]
    plan = Plan(jobs)
    records = {job.id: JobRecord() for job in jobs}
    assert corrected_seconds(plan, records) == {"a": 10, "b": 20, "c": 10, "d": 4}
    records["a"] = JobRecord("finished", seconds=30)
    records["c"] = JobRecord("finished", seconds=10)
    corrected = corrected_seconds(plan, records)
    assert corrected["b"] == 60
    assert corrected["d"] == pytest.approx(4 * 40 / 20), "no report has finished: the factor of all"
    assert time_left(plan, records, corrected, 1, now=0.0) == pytest.approx(68)
    records["b"] = JobRecord("running", started=100.0)
    assert time_left(plan, records, corrected, 2, now=110.0) == pytest.approx(50)
    records["b"].state = records["d"].state = "blocked"
    assert time_left(plan, records, corrected, 2, now=110.0) == 0


def test_the_median_of_the_jobs_of_one_trainer_corrects_the_others():
    jobs = [Job(str(n), "train", str(n), ("true",), seconds=10.0, labels={"trainer": "A"}) for n in range(4)]
    jobs += [Job("other", "train", "other", ("true",), seconds=10.0, labels={"trainer": "B"})]
    jobs += [Job("report", "report", "report", ("true",), seconds=1.0)]
    taken = {"0": 20.0, "1": 30.0, "2": 90.0}
    records = {ident: JobRecord("finished", seconds=seconds) for ident, seconds in taken.items()}
    records["3"] = JobRecord("failed", seconds=1.0)
    plan = Plan(jobs, {"x": 1})
    assert set(correction_factors(plan, records).values()) == {3.0}  # the median of 2, 3 and 9, for lack of others
    records["other"] = JobRecord("finished", seconds=5.0)
    corrected = corrected_plan(plan, records)
    assert {job.id: job.seconds for job in corrected if job.id in ("3", "other")} == {"3": 30.0, "other": 5.0}
    assert corrected["report"].seconds == 2.5  # no report has finished: the median of 0.5, 2, 3 and 9
    assert corrected.metadata == {"x": 1}
