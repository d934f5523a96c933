"""The scheduler's decisions, with an executor and a clock that do what the test says."""

import logging
import os
import threading

import pytest
from support.fake_executor import Clock, FakeExecutor

from mvlpt.errors import ScheduleError
from mvlpt.schedule.attempts import Attempt, AttemptResult, attempt_folder, read_result, write_result
from mvlpt.schedule.control import pending_requests, request
from mvlpt.schedule.executors.registry import make_executor
from mvlpt.schedule.jobs import Job, Plan
from mvlpt.schedule.journal import Journal, read_events, read_records
from mvlpt.schedule.lock import SchedulerLock, is_running
from mvlpt.schedule.plan_file import save_plan
from mvlpt.schedule.retry import SchedulerOptions
from mvlpt.schedule.scheduler import Scheduler
from mvlpt.schedule.slots import gpu_slots


def job(name, needs=(), **fields):
    return Job(name, fields.pop("kind", "command"), f"job-{name}", ("true",), tuple(needs), **fields)


def chain():
    return Plan([job("a"), job("b", "a"), job("c", "b"), job("d")])


def run(plan, root, executor, listener=None, **options):
    return Scheduler(
        plan, root, executor, SchedulerOptions(**options), listener, executor.clock, executor.clock.timer
    ).run()


def states(root, plan):
    return {ident: record.state for ident, record in read_records(root, plan).items()}


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
    (tmp_path / "control").mkdir(exist_ok=True)
    (tmp_path / "control" / "1.json").write_text("nonsense")
    assert pending_requests(tmp_path) == []


def test_a_second_scheduler_is_refused_by_host_and_process(tmp_path):
    import os
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
    thread.join(10)
    assert outcomes[0].interrupted


def test_unknown_executors_and_options_are_refused():
    with pytest.raises(ScheduleError, match="did you mean 'local'"):
        make_executor("locale")
    with pytest.raises(ScheduleError, match="did you mean 'slots'"):
        make_executor("local", slot=3)
    with pytest.raises(ScheduleError, match="slots=-1 is too small"):
        make_executor("local", slots="-1")
    with pytest.raises(ScheduleError, match="device=gpus; did you mean 'gpu'"):
        make_executor("local", device="gpus")


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
