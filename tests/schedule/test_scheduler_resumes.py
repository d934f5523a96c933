"""What a scheduler makes of what its last one left: results, running attempts, journals, outputs, clocks, odd files."""

import logging
import os

import pytest
from support.fake_executor import FakeExecutor
from support.fake_runs import chain, job, run, states

from mvlpt.schedule.attempts import Attempt, AttemptResult, attempt_folder, read_result, write_result
from mvlpt.schedule.control import request
from mvlpt.schedule.jobs import Plan
from mvlpt.schedule.journal import Journal, read_events, read_records
from mvlpt.schedule.plan_file import save_plan


def test_a_result_that_was_not_journalled_is_taken_from_its_file(tmp_path):
    plan, journal = chain(), Journal(tmp_path)
    for ident in "ad":
        journal.add("started", job=ident, attempt=1, slot="cpu0", micro_batches=1)
    for ident, status in (("a", 0), ("d", 3)):
        attempt = Attempt(plan[ident], 1, attempt_folder(tmp_path, ident, 1), tmp_path, plan[ident].command)
        write_result(attempt, AttemptResult(ident, 1, status, 7.0, "why" * status))
    second = FakeExecutor()
    run(plan, tmp_path, second)
    assert [attempt.job.id for _, attempt, _ in second.started].count("a") == 0
    assert [attempt.number for _, attempt, _ in second.started if attempt.job.id == "d"] == [2]
    assert read_records(tmp_path, plan)["a"].seconds == 7.0


def test_half_a_result_is_no_result(tmp_path):
    plan = Plan([job("a")])
    Journal(tmp_path).add("started", job="a", attempt=1, slot="cpu0", micro_batches=1)
    attempt_folder(tmp_path, "a", 1).mkdir(parents=True)
    (attempt_folder(tmp_path, "a", 1) / "result.json").write_text('{"status": 0')
    executor = FakeExecutor()
    run(plan, tmp_path, executor)
    assert [attempt.number for _, attempt, _ in executor.started] == [2]
    assert read_records(tmp_path, plan)["a"].failures == 0, "an attempt lost with its scheduler is no failure"


def test_attempts_that_still_run_are_adopted(tmp_path):
    plan, executor = chain(), FakeExecutor(slots=2)
    journal = Journal(tmp_path)
    for ident in "ad":
        journal.add("started", job=ident, attempt=1, slot="cpu0", micro_batches=1)
        journal.add("placed", job=ident, attempt=1, handle=f"handle-{ident}")
    executor.known = {"handle-a"}
    run(plan, tmp_path, executor)
    assert executor.adopted == [("job-a", "handle-a"), ("job-d", "handle-d")]
    assert sorted(attempt.key for _, attempt, _ in executor.started) == [("b", 1), ("c", 1), ("d", 2)]


class Crash(BaseException):
    """What kill -9 would be."""


@pytest.mark.parametrize("written", [False, True])
def test_a_crash_at_any_entry_of_the_journal_loses_and_repeats_nothing(tmp_path, monkeypatch, written):
    add, left = Journal.add, [0]

    def counting(journal, event, **fields):
        left[0] -= 1
        if left[0] == 0 and not written:
            raise Crash
        entry = add(journal, event, **fields)
        if left[0] == 0:
            raise Crash
        return entry

    monkeypatch.setattr(Journal, "add", counting)
    plan, place = chain(), 0
    while True:
        place += 1
        root, left[0] = tmp_path / str(place), place
        started = []
        while True:
            executor = FakeExecutor(slots=2)
            try:
                outcome = run(plan, root, executor)
                break
            except Crash:
                executor.poll()  # what was started ends all the same, and leaves its result
            finally:
                started += [attempt.key for _, attempt, _ in executor.started]
        assert outcome.finished == 4
        assert sorted(job for job, _ in started) == ["a", "b", "c", "d"], "each job was carried out once"
        ends = [entry["job"] for _, entry in read_events(root) if entry["event"] == "ended"]
        assert sorted(ends) == ["a", "b", "c", "d"]
        if left[0] > 0:
            break
    assert place > 12


def test_a_finished_job_whose_output_is_gone_runs_again(tmp_path, caplog):
    plan = Plan([job("a", outputs=("a.txt",)), job("b", "a")])
    (tmp_path / "a.txt").write_text("")
    run(plan, tmp_path, FakeExecutor())
    (tmp_path / "a.txt").unlink()
    executor = FakeExecutor()
    with caplog.at_level(logging.WARNING):
        run(plan, tmp_path, executor)
    assert [attempt.key for _, attempt, _ in executor.started] == [("a", 2)]
    assert "job-a has finished, but a.txt is gone; it runs again" in caplog.text


def test_a_changed_plan_keeps_what_it_still_holds(tmp_path):
    run(chain(), tmp_path, FakeExecutor())
    executor = FakeExecutor()
    outcome = run(Plan([job("a"), job("e", "a")]), tmp_path, executor)
    assert [attempt.job.id for _, attempt, _ in executor.started] == ["e"]
    assert outcome.finished == 2


def test_a_lost_journal_does_not_revive_old_results(tmp_path):
    plan = Plan([job("a")])
    run(plan, tmp_path, FakeExecutor())
    (tmp_path / "journal.jsonl").unlink()
    executor = FakeExecutor()
    run(plan, tmp_path, executor)
    assert [attempt.number for _, attempt, _ in executor.started] == [2]


def test_a_clock_that_is_set_back_delays_neither_a_retry_nor_the_end_of_a_cancelled_job(tmp_path):
    plan = Plan([job("a"), job("b")])
    save_plan(plan, tmp_path / "plan.json")
    executor = FakeExecutor(lambda attempt: 1 if attempt.key == ("a", 1) else None, slots=2)

    def on_wait():
        if executor.waits == 2:
            executor.clock.offset = -3600.0
            request(tmp_path, "cancel", "job-b")
        if ("job-b", True) in executor.stops:
            executor.status = lambda attempt: -9 if attempt.job.id == "b" else 0

    executor.on_wait = on_wait
    begun = executor.clock.now
    run(plan, tmp_path, executor, retries=1, backoff=4.0, grace=8.0)
    assert states(tmp_path, plan) == {"a": "finished", "b": "cancelled"}
    assert executor.clock.now - begun < 12


@pytest.mark.parametrize("seconds", [1e9, 1e300])
def test_a_retry_in_the_far_future_waits_no_longer_than_retries_do(tmp_path, seconds):
    plan, executor, journal = Plan([job("a")]), FakeExecutor(), Journal(tmp_path)
    journal.add("started", job="a", attempt=1, slot="cpu0", micro_batches=1)
    fields = {"status": 1, "seconds": 1.0, "reason": "", "peak_mb": 0.0, "failures": 1, "micro_batches": 1}
    journal.add("ended", job="a", attempt=1, state="waiting", retry_at=seconds, **fields)
    begun = executor.clock.now
    assert run(plan, tmp_path, executor).finished == 1
    assert 290 < executor.clock.now - begun < 310


def odd_files(folder):
    """Files that hold no request and no result, by name."""
    folder.mkdir(parents=True)
    contents = {"deep": "[" * 50_000, "list": "[]", "number": "1e999", "digits": "9" * 6000, "bytes": "\udcff\udcfe"}
    contents |= {"action": '{"action": "reboot", "job": "a"}', "job": '{"action": "cancel", "job": ["a"]}'}
    contents |= {"infinite": '{"job": "a", "attempt": 1e999, "status": 0, "seconds": 1, "reason": "", "peak_mb": 0}'}
    contents |= {"nan": '{"job": "a", "attempt": 1, "status": 0, "seconds": NaN, "reason": "", "peak_mb": 0}'}
    for name, content in contents.items():
        (folder / f"{name}.json").write_text(content, errors="surrogateescape")
    os.mkfifo(folder / "pipe.json")
    (folder / "endless.json").symlink_to("/dev/zero")
    return [folder / f"{name}.json" for name in (*contents, "pipe", "endless")]


def test_control_files_that_are_no_requests_are_set_aside(tmp_path, caplog):
    files = odd_files(tmp_path / "control")
    assert run(chain(), tmp_path, FakeExecutor()).finished == 4
    assert not any(os.path.lexists(path) for path in files)
    assert len(list((tmp_path / "control" / "rejected").iterdir())) == len(files)
    assert "pipe.json is not a regular file" in caplog.text


def test_results_that_a_job_made_up_are_set_aside(tmp_path):
    plan = Plan([job("a")])
    files = odd_files(tmp_path / "odd")
    for number, path in enumerate(files, start=1):
        folder = attempt_folder(tmp_path, "a", 1)
        folder.mkdir(parents=True, exist_ok=True)
        path.rename(folder / "result.json")
        assert read_result(Attempt(plan["a"], 1, folder, tmp_path, ("true",))) is None
        assert len(list((folder / "rejected").iterdir())) == number
