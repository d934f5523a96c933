"""The scheduler's decisions, with an executor and a clock that do what the test says."""

import logging
import os
import threading

import pytest
from support.fake_executor import Clock, FakeExecutor
from support.fake_runs import chain, job, run, states
from support.plans import PATIENCE

from mvlpt.errors import ScheduleError
from mvlpt.schedule.attempts import attempt_folder
from mvlpt.schedule.control import pending_requests, request
from mvlpt.schedule.executors.registry import make_executor
from mvlpt.schedule.jobs import Job, Plan
from mvlpt.schedule.journal import read_events, read_records
from mvlpt.schedule.lock import SchedulerLock, is_running
from mvlpt.schedule.plan_file import save_plan
from mvlpt.schedule.scheduler import Scheduler
from mvlpt.schedule.slots import gpu_slots


def test_every_job_runs_once_after_those_it_needs(tmp_path):
    plan, executor = chain(), FakeExecutor(slots=2)
    outcome = run(plan, tmp_path, executor)
    assert (outcome.finished, outcome.failed, outcome.interrupted) == (4, 0, False)
    order = [attempt.job.id for _, attempt, _ in executor.started]
    assert sorted(order) == ["a", "b", "c", "d"]
    assert order.index("a") < order.index("b") < order.index("c")
    assert executor.closed
    assert run(plan, tmp_path, FakeExecutor(lambda attempt: pytest.fail("run twice"))).finished == 4


def test_the_most_urgent_job_starts_first(tmp_path):
    plan = Plan([job("a", seconds=1), job("b", seconds=5), job("c", seconds=2), job("d", "c", seconds=9)])
    executor = FakeExecutor()
    run(plan, tmp_path, executor)
    assert [attempt.job.id for _, attempt, _ in executor.started] == ["c", "d", "b", "a"]


def test_failures_back_off_then_block_their_dependants_while_the_rest_goes_on(tmp_path, caplog):
    plan = chain()
    executor = FakeExecutor(lambda attempt: 1 if attempt.job.id == "a" else 0, slots=2)
    with caplog.at_level(logging.WARNING):
        outcome = run(plan, tmp_path, executor, retries=2, backoff=10.0)
    assert (outcome.finished, outcome.failed, outcome.blocked) == (1, 1, 2)
    times = [moment for moment, attempt, _ in executor.started if attempt.job.id == "a"]
    assert len(times) == 3
    assert 10 <= times[1] - times[0] < 11
    assert 20 <= times[2] - times[1] < 21
    assert states(tmp_path, plan) == {"a": "failed", "b": "blocked", "c": "blocked", "d": "finished"}
    assert "job-a, attempt 3: status 1" in caplog.text
    assert str(attempt_folder(tmp_path, "a", 3) / "output.log") in caplog.text


def test_a_failed_job_stays_failed_until_it_is_asked_for(tmp_path):
    plan = chain()
    save_plan(plan, tmp_path / "plan.json")
    run(plan, tmp_path, FakeExecutor(lambda attempt: 2 if attempt.job.id == "a" else 0))
    assert run(plan, tmp_path, FakeExecutor()).failed == 1
    assert request(tmp_path, "retry", "job-c"), "no scheduler runs, so the journal says it at once"
    assert states(tmp_path, plan) == {"a": "waiting", "b": "waiting", "c": "waiting", "d": "finished"}
    executor = FakeExecutor()
    assert run(plan, tmp_path, executor).finished == 4
    assert [attempt.number for _, attempt, _ in executor.started if attempt.job.id == "a"] == [2]


def test_failed_jobs_can_be_retried_when_the_scheduler_starts(tmp_path):
    plan = chain()
    run(plan, tmp_path, FakeExecutor(lambda attempt: 2))
    assert run(plan, tmp_path, FakeExecutor(), retry_failed=True).finished == 4


def test_out_of_memory_is_met_with_smaller_batches(tmp_path):
    train = Job("t", "train", "train", ("mvlpt", "train", "--resume"))
    executor = FakeExecutor(lambda attempt: 12 if attempt.command[-1] != "8" else 0)
    outcome = run(Plan([train]), tmp_path, executor, retries=0)
    assert outcome.finished == 1
    assert [attempt.command[3:] for _, attempt, _ in executor.started] == [
        (),
        *(("RUN.MICRO_BATCHES", parts) for parts in ("2", "4", "8")),
    ]
    record = read_records(tmp_path, Plan([train]))["t"]
    assert (record.failures, record.micro_batches, record.attempts) == (0, 8, 4)


def test_jobs_share_a_gpu_by_their_memory(tmp_path):
    plan = Plan([job(name, memory_mb=40.0) for name in "abcd"])
    executor, at_once = FakeExecutor(lambda attempt: None, slots=gpu_slots([100.0], share=4)), []

    def on_wait():
        at_once.append(len(executor.running))
        executor.status = lambda attempt: 0 if executor.waits % 3 == 0 else None

    executor.on_wait = on_wait
    assert run(plan, tmp_path, executor).finished == 4
    assert max(at_once) == 2


def test_ctrl_c_once_lets_running_jobs_save_and_starts_no_other(tmp_path):
    plan = chain()
    executor = FakeExecutor(lambda attempt: None)
    scheduler = Scheduler(plan, tmp_path, executor, clock=executor.clock, timer=executor.clock.timer)

    def on_wait():
        if executor.waits == 1:
            scheduler.stop()
        if executor.stops:
            executor.status = lambda attempt: 130

    executor.on_wait = on_wait
    outcome = scheduler.run()
    assert outcome.interrupted
    assert executor.stops == [("job-a", False)]
    assert set(states(tmp_path, plan).values()) == {"waiting"}
    assert read_records(tmp_path, plan)["a"].failures == 0
    assert run(plan, tmp_path, FakeExecutor()).finished == 4


def test_ctrl_c_twice_ends_them_at_once(tmp_path):
    executor = FakeExecutor(lambda attempt: None)
    scheduler = Scheduler(chain(), tmp_path, executor, clock=executor.clock, timer=executor.clock.timer)

    def on_wait():
        if executor.waits in (1, 3):
            scheduler.stop()
        if ("job-a", True) in executor.stops:
            executor.status = lambda attempt: -9

    executor.on_wait = on_wait
    outcome = scheduler.run()
    assert (outcome.interrupted, outcome.failed) == (True, 0)
    assert executor.stops == [("job-a", False), ("job-a", True)]


def test_cancel_stops_the_job_and_drops_its_dependants(tmp_path):
    plan = chain()
    save_plan(plan, tmp_path / "plan.json")
    executor = FakeExecutor(lambda attempt: None if attempt.job.id == "a" else 0, slots=2)

    def on_wait():
        if executor.waits == 2:
            assert is_running(tmp_path)
            assert not request(tmp_path, "cancel", "job-a")
        if executor.stops:
            executor.status = lambda attempt: 130

    executor.on_wait = on_wait
    outcome = run(plan, tmp_path, executor)
    assert executor.stops[0] == ("job-a", False)
    assert (outcome.cancelled, outcome.finished) == (3, 1)
    assert pending_requests(tmp_path) == []
    assert request(tmp_path, "retry", "a")
    assert run(plan, tmp_path, FakeExecutor()).finished == 4


def test_a_cancelled_job_that_does_not_stop_is_ended(tmp_path):
    plan = Plan([job("a")])
    save_plan(plan, tmp_path / "plan.json")
    executor = FakeExecutor(lambda attempt: None)

    def on_wait():
        if executor.waits == 1:
            request(tmp_path, "cancel", "a")
        if ("job-a", True) in executor.stops:
            executor.status = lambda attempt: -9

    executor.on_wait = on_wait
    assert run(plan, tmp_path, executor, grace=3.0).cancelled == 1
    assert executor.stops == [("job-a", False), ("job-a", True)]


def test_requests_without_a_scheduler_go_into_the_journal(tmp_path):
    plan = chain()
    save_plan(plan, tmp_path / "plan.json")
    assert request(tmp_path, "cancel", "b")
    assert states(tmp_path, plan) == {"a": "waiting", "b": "cancelled", "c": "cancelled", "d": "waiting"}
    assert run(plan, tmp_path, FakeExecutor()).cancelled == 2
    assert request(tmp_path, "retry", "b")
    assert states(tmp_path, plan)["c"] == "waiting"


def test_requests_that_mean_nothing_are_refused(tmp_path):
    save_plan(chain(), tmp_path / "plan.json")
    with pytest.raises(ScheduleError, match="did you mean 'cancel'"):
        request(tmp_path, "cancle", "a")
    with pytest.raises(ValueError, match="no job 'zz'"):
        request(tmp_path, "cancel", "zz")
    (tmp_path / "control").write_text("in the way")
    with pytest.raises(ScheduleError, match=r"Cannot write .*/control/.*; free or choose another folder"):
        request(tmp_path, "cancel", "a")
    (tmp_path / "control").unlink()
    (tmp_path / "control").mkdir()
    (tmp_path / "control" / "1.json").write_text("nonsense")
    assert pending_requests(tmp_path) == []


def test_a_second_scheduler_is_refused_by_host_and_process(tmp_path):
    import socket

    with SchedulerLock(tmp_path):
        executor = FakeExecutor()
        with pytest.raises(ScheduleError, match=f"host {socket.gethostname()}, process {os.getpid()}"):
            run(chain(), tmp_path, executor)
        assert executor.closed
        assert not (tmp_path / "journal.jsonl").exists()
    assert run(chain(), tmp_path, FakeExecutor()).finished == 4


def test_a_listener_sees_every_change_and_the_end(tmp_path):
    plan, seen = chain(), []

    def listener(snapshot):
        counts = [record.state for record in snapshot.records.values()]
        seen.append((counts.count("finished"), snapshot.time_left, [ident for _, ident in snapshot.slots]))

    run(plan, tmp_path, FakeExecutor(), listener)
    assert seen[-1] == (4, 0.0, [None])
    assert [finished for finished, _, _ in seen] == sorted(finished for finished, _, _ in seen)


def test_an_empty_plan_is_done(tmp_path):
    assert run(Plan([]), tmp_path, FakeExecutor()).finished == 0
    assert [entry["event"] for _, entry in read_events(tmp_path)] == ["opened", "closed"]


def test_a_scheduler_outside_the_main_thread_can_be_stopped(tmp_path):
    executor = FakeExecutor(lambda attempt: None, clock=Clock())
    scheduler = Scheduler(chain(), tmp_path, executor, clock=executor.clock, timer=executor.clock.timer)
    executor.on_wait = lambda: setattr(executor, "status", lambda attempt: 130)
    scheduler.stop()
    outcomes = []
    thread = threading.Thread(target=lambda: outcomes.append(scheduler.run()))
    thread.start()
    thread.join(PATIENCE)
    assert outcomes[0].interrupted


def test_unknown_executors_and_options_are_refused():
    with pytest.raises(ScheduleError, match="did you mean 'local'"):
        make_executor("locale")
    with pytest.raises(ScheduleError, match=r"No executor is named 'x'; known: inline, local, ray, slurm$"):
        make_executor("x")
    with pytest.raises(ScheduleError, match="did you mean 'slots'"):
        make_executor("local", slot=3)
    with pytest.raises(ScheduleError, match="slots=-1 is too small"):
        make_executor("local", slots="-1")
    with pytest.raises(ScheduleError, match="device=gpus; did you mean 'gpu'"):
        make_executor("local", device="gpus")
