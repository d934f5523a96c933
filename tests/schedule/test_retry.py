"""What follows from the end of an attempt."""

import pytest

from mvlpt.errors import ScheduleError
from mvlpt.schedule.attempts import AttemptResult
from mvlpt.schedule.jobs import Job
from mvlpt.schedule.records import JobRecord
from mvlpt.schedule.retry import SchedulerOptions, command_of, next_state

TRAIN = Job("t", "train", "train", ("mvlpt", "train", "--resume"))
PLAIN = Job("p", "command", "plain", ("python", "train.py"))


def after(status, job=PLAIN, record=None, asked="", **options):
    ended = AttemptResult(job.id, 1, status, 1.0, "why" * (status != 0))
    return next_state(job, record or JobRecord("running", attempts=1), ended, SchedulerOptions(**options), 50.0, asked)


def test_status_0_finishes_whatever_was_asked():
    assert [after(0, asked=asked)["state"] for asked in ("", "stop", "cancel")] == ["finished"] * 3


@pytest.mark.parametrize("status", [1, 130, 137, -9, -11, 124])
def test_failures_are_retried_with_doubling_pauses_and_then_fail(status):
    record, pauses = JobRecord("running"), []
    for _ in range(3):
        follows = after(status, record=record, retries=3, backoff=2.0, longest_backoff=7.0)
        assert follows["state"] == "waiting"
        pauses.append(follows["retry_at"] - 50.0)
        record.failures = follows["failures"]
    assert pauses == [2.0, 4.0, 7.0]
    assert after(status, record=record, retries=3)["state"] == "failed"


def test_bad_input_is_not_retried():
    assert after(2, retries=5)["state"] == "failed"


def test_what_was_stopped_waits_and_has_not_failed():
    follows = after(130, asked="stop")
    assert (follows["state"], follows["failures"], follows["retry_at"]) == ("waiting", 0, 0.0)
    assert after(-15, asked="cancel")["state"] == "cancelled"


def test_out_of_memory_splits_batches_before_it_counts():
    record, seen = JobRecord("running"), []
    while True:
        follows = after(12, TRAIN, record, retries=0)
        if follows["state"] != "waiting":
            break
        assert (follows["failures"], follows["retry_at"]) == (0, 0.0)
        record.micro_batches = follows["micro_batches"]
        seen.append(command_of(TRAIN, record)[3:])
    assert seen == [("RUN.MICRO_BATCHES", str(parts)) for parts in (2, 4, 8, 16, 32, 64)]
    assert follows["state"] == "failed"
    assert follows["failures"] == 1
    assert "64 parts" in follows["reason"]


def test_out_of_memory_goes_on_from_what_the_command_says():
    job = Job("t", "train", "train", ("mvlpt", "train", "RUN.MICRO_BATCHES", "4"))
    assert after(12, job)["micro_batches"] == 8


def test_other_commands_cannot_be_split():
    assert after(12, PLAIN)["failures"] == 1
    assert command_of(PLAIN, JobRecord(micro_batches=4)) == PLAIN.command


@pytest.mark.parametrize(
    "options",
    [{"retries": -1}, {"backoff": -1.0}, {"time_limit": 0.0}, {"time_limit": float("nan")}, {"time_limit": 1e30}],
)
def test_options_out_of_bounds_are_refused(options):
    with pytest.raises(ScheduleError, match=next(iter(options))):
        SchedulerOptions(**options)
