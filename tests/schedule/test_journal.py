"""The journal: what it holds, what a crash may leave of it, what is refused."""

import json
import os

import pytest

from mvlpt.errors import ScheduleError
from mvlpt.schedule.jobs import Job, Plan
from mvlpt.schedule.journal import FILE, Journal, read_events, read_records


@pytest.fixture
def plan():
    jobs = [Job("a", "command", "first", ("true",)), Job("b", "command", "second", ("true",), needs=("a",))]
    return Plan([*jobs, Job("c", "command", "third", ("true",), needs=("b",))])


def ended(state, **fields):
    usual = {
        "status": 0,
        "seconds": 2.5,
        "reason": "",
        "peak_mb": 3.0,
        "failures": 0,
        "micro_batches": 1,
        "retry_at": 0,
    }
    return {**usual, "state": state, **fields}


def test_records_follow_from_events(plan, tmp_path):
    journal = Journal(tmp_path, clock=lambda: 100.0)
    assert read_records(tmp_path, plan)["a"].state == "waiting"
    journal.add("opened", host="h", pid=1)
    journal.add("started", job="a", attempt=1, slot="cpu0", micro_batches=1)
    journal.add("placed", job="a", attempt=1, handle="4711")
    record = read_records(tmp_path, plan)["a"]
    assert (record.state, record.attempts, record.slot, record.handle) == ("running", 1, "cpu0", "4711")
    assert (record.started, record.ended) == (100.0, None)
    journal.add("ended", job="a", attempt=1, **ended("waiting", status=-9, reason="killed", failures=1, retry_at=105.5))
    record = read_records(tmp_path, plan)["a"]
    assert (record.state, record.status, record.failures, record.retry_at) == ("waiting", -9, 1, 105.5)
    journal.add("started", job="a", attempt=2, slot="cpu1", micro_batches=4)
    journal.add("ended", job="a", attempt=2, **ended("finished", micro_batches=4))
    record = read_records(tmp_path, plan)["a"]
    assert (record.state, record.attempts, record.seconds, record.micro_batches) == ("finished", 2, 2.5, 4)
    assert record.reason == ""
    journal.add("state", job="b", state="failed", reason="no")
    assert [read_records(tmp_path, plan)[job].state for job in "abc"] == ["finished", "failed", "blocked"]
    assert read_records(tmp_path, plan)["c"].reason == "needs 'second', which failed"


def test_events_of_jobs_that_the_plan_lacks_are_passed_over(plan, tmp_path):
    Journal(tmp_path).add("started", job="gone", attempt=1, slot="cpu0")
    assert all(record.state == "waiting" for record in read_records(tmp_path, plan).values())


@pytest.mark.parametrize("tail", [b'{"t": 1, "event": "sta', b"\0\0\0\0", "é".encode()[:1], b"{}"])
def test_a_torn_last_line_is_dropped(plan, tmp_path, tail):
    Journal(tmp_path).add("state", job="a", state="cancelled", reason="cancelled")
    whole = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(whole + tail)
    assert read_records(tmp_path, plan)["a"].state == "cancelled"
    journal = Journal(tmp_path)
    assert (tmp_path / FILE).read_bytes() == whole
    journal.add("opened")
    assert len(list(read_events(tmp_path))) == 2


def test_every_cut_of_a_journal_is_a_beginning_of_its_events(tmp_path):
    journal = Journal(tmp_path)
    for number in range(5):
        journal.add("started", job="ü", attempt=number, slot="cpu0")
    content = (tmp_path / FILE).read_bytes()
    events = [entry for _, entry in read_events(tmp_path)]
    for size in range(len(content) + 1):
        (tmp_path / FILE).write_bytes(content[:size])
        found = [entry for _, entry in read_events(tmp_path)]
        assert found == events[: content[:size].count(b"\n")]


@pytest.mark.parametrize("line", ["nonsense", "[1]", '{"t": 1}', '{"event": "started"}', "\0"])
def test_any_other_broken_line_is_refused_by_its_number(plan, tmp_path, line):
    Journal(tmp_path).add("opened")
    with open(tmp_path / FILE, "a") as handle:
        handle.write(line + "\n" + '{"t": 2, "event": "opened"}\n')
    with pytest.raises(ScheduleError, match=r"journal\.jsonl, line 2 is not an event"):
        read_records(tmp_path, plan)


def test_an_event_with_wrong_fields_is_refused_by_its_number(plan, tmp_path):
    (tmp_path / FILE).write_text(json.dumps({"t": 1, "event": "started", "job": "a"}) + "\n")
    with pytest.raises(ScheduleError, match=r"line 1: a 'started' event .* 'attempt'"):
        read_records(tmp_path, plan)


@pytest.mark.parametrize(
    "fields",
    [
        {"event": "state", "job": "a", "state": "wating", "reason": ""},
        {"event": "started", "job": "a", "attempt": float("inf"), "slot": "cpu0"},
        {"event": "ended", "job": "a", **ended("waiting", retry_at=float("nan"))},
        {"event": "ended", "job": "a", **ended(["waiting"])},
    ],
)
def test_states_and_numbers_that_cannot_be_are_refused_by_their_line(plan, tmp_path, fields):
    (tmp_path / FILE).write_text(json.dumps({"t": 1, **fields}) + "\n")
    with pytest.raises(ScheduleError, match=r"journal\.jsonl, line 1: a '\w+' event with a wrong"):
        read_records(tmp_path, plan)


def test_a_job_that_is_no_id_is_passed_over(plan, tmp_path):
    (tmp_path / FILE).write_text(json.dumps({"t": 1, "event": "state", "job": ["a"]}) + "\n")
    assert read_records(tmp_path, plan)["a"].state == "waiting"


def test_a_full_disk_is_one_sentence_and_no_second_half_line(tmp_path):
    os.symlink("/dev/full", tmp_path / FILE)
    journal = Journal(tmp_path)
    for _ in range(2):
        with pytest.raises(ScheduleError, match=r"Cannot write .*journal\.jsonl: No space left on device"):
            journal.add("opened")


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ScheduleError, match=r"Cannot write .*journal\.jsonl"):
        Journal(tmp_path / "file")
