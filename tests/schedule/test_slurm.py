"""The slurm executor on a real SLURM of one node."""

import json
import signal
import time

import pytest
from support.plans import PATIENCE, diamond, lines, shell_job, start_scheduler, training_job, wait_for
from support.slurm import Slurm, missing

from mvlpt.cli import main
from mvlpt.errors import ScheduleError
from mvlpt.schedule.attempts import Attempt
from mvlpt.schedule.control import request
from mvlpt.schedule.executors.registry import make_executor
from mvlpt.schedule.executors.slurm import executor as slurm_executor
from mvlpt.schedule.executors.slurm.options import SlurmOptions
from mvlpt.schedule.jobs import Plan
from mvlpt.schedule.plan_file import save_plan

pytest.importorskip("submitit", reason="submitit is not installed (pip install 'mvlpt[slurm]')")
pytestmark = [pytest.mark.slurm, pytest.mark.skipif(bool(missing()), reason=missing())]

from mvlpt.schedule.executors.slurm.executor import SlurmExecutor  # noqa: E402
from mvlpt.schedule.executors.slurm.job import SlurmJob  # noqa: E402
from mvlpt.schedule.scheduler import Scheduler, SchedulerOptions  # noqa: E402

QUICK = {"poll_seconds": 0.3}


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    cluster = Slurm(tmp_path_factory.mktemp("slurm"))
    patch = pytest.MonkeyPatch()
    try:
        for name, value in cluster.environment.items():
            patch.setenv(name, value)
        cluster.start()
        yield cluster
    finally:
        cluster.close()
        patch.undo()


def schedule(jobs, root, options=None, listener=None, **rules):
    executor = SlurmExecutor(SlurmOptions(**{**QUICK, **(options or {})}))
    return Scheduler(Plan(jobs), root, executor, SchedulerOptions(**{"backoff": 0.1, **rules}), listener).run()


def sent(root):
    """The folders of batches."""
    return sorted(path for path in (root / "slurm").iterdir() if path.is_dir())


def result(root, job, number=1):
    return json.loads((root / "jobs" / job.id / str(number) / "result.json").read_text())


def test_diamond_runs_in_order_and_its_sides_as_one_array(slurm, tmp_path):
    root = tmp_path / "a 100%u study"  # a blank, and what SLURM would replace by the user's name
    outcome = schedule(diamond(), root)
    assert (outcome.finished, outcome.failed) == (4, 0)
    assert (root / "d").read_text() == "abacd"
    assert len(sent(root)) == 3
    scripts = [next(folder.glob("*_submission.sh")).read_text() for folder in sent(root)]
    assert sorted("--array" in script for script in scripts) == [False, False, True]
    assert all(list(folder.glob("*_log.out")) for folder in sent(root))
    wait_for(lambda: slurm.queue() == [])  # its own end of a job takes SLURM a moment


def test_more_jobs_than_an_array_may_have_become_several_arrays(slurm, tmp_path):
    jobs = [shell_job(f"j{number}", "true") for number in range(6)]
    assert schedule(jobs, tmp_path).finished == 6
    assert len(sent(tmp_path)) == 2  # MaxArraySize of the test's cluster is 4


@pytest.mark.parametrize("name", ["100% of %x", "%j and %t", "50%apples %A"])
@pytest.mark.parametrize("options", [{}, {"pack": 2}], ids=["arrays", "pack"])
def test_percent_signs_in_the_names_of_folders_are_no_patterns(slurm, tmp_path, name, options):
    root = tmp_path / name
    root.mkdir()
    jobs = [shell_job(one, f"echo {one} >> ran") for one in "abc"]
    assert schedule(jobs, root, options).finished == 3
    assert sorted(lines(root / "ran")) == ["a", "b", "c"]
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert list((root / "slurm").rglob("*_log.out"))


def test_without_arrays_each_job_is_submitted_alone(slurm, tmp_path):
    jobs = [shell_job(name, f"echo {name}") for name in "xy"]
    assert schedule(jobs, tmp_path, {"arrays": False}).finished == 2
    assert len(sent(tmp_path)) == 2
    assert (tmp_path / "jobs" / jobs[0].id / "1" / "output.log").read_text() == "x\n"


def test_failures_are_retried_and_deaths_explained(slurm, tmp_path):
    second = shell_job("second time", "echo x >> tries; test $(wc -l < tries) = 2")
    dying = shell_job(
        "its process dies", "echo x >> deaths; test $(wc -l < deaths) = 2 || { kill -9 $PPID; sleep 600; }"
    )
    failing = shell_job("failing", "exit 3")
    after = shell_job("after", "true", [failing])
    slow = shell_job("slow", "sleep 600")
    outcome = schedule([second, dying, failing, after, slow], tmp_path, retries=1, time_limit=3)
    assert (outcome.finished, outcome.failed, outcome.blocked) == (2, 2, 1)
    assert result(tmp_path, failing, 2)["status"] == 3
    assert result(tmp_path, slow)["reason"] == "ran over its time limit of 3 s"
    assert len(lines(tmp_path / "deaths")) == 2
    assert "ended without a result" in (tmp_path / "journal.jsonl").read_text()


def test_killed_scheduler_finds_its_jobs_again_and_none_runs_twice(slurm, tmp_path):
    jobs = [shell_job(name, f"echo {name} >> count; sleep 4; echo {name} >> done") for name in "abc"]
    scheduler = start_scheduler(jobs, tmp_path, "slurm", json.dumps(QUICK))
    wait_for(lambda: len(lines(tmp_path / "count")) == 3)
    scheduler.kill()
    scheduler.wait()
    assert lines(tmp_path / "done") == []
    assert schedule(jobs, tmp_path).finished == 3
    assert sorted(lines(tmp_path / "count")) == sorted(lines(tmp_path / "done")) == ["a", "b", "c"]


def test_job_that_ended_while_no_scheduler_ran_is_not_run_again(slurm, tmp_path):
    jobs = [shell_job("one", "echo x >> count; sleep 2")]
    scheduler = start_scheduler(jobs, tmp_path, "slurm", json.dumps(QUICK))
    wait_for(lambda: lines(tmp_path / "count"))
    scheduler.kill()
    scheduler.wait()
    wait_for(lambda: slurm.queue() == [])
    assert schedule(jobs, tmp_path).finished == 1
    assert lines(tmp_path / "count") == ["x"]


def test_interrupted_scheduler_lets_jobs_save_their_state(slurm, tmp_path):
    script = "trap 'echo saved >> log; exit 130' TERM; echo started >> log; sleep 600 & wait"
    jobs = [shell_job(name, script + f" # {name}") for name in "abcde"]  # the node has four cores
    scheduler = start_scheduler(jobs, tmp_path, "slurm", json.dumps(QUICK))
    wait_for(lambda: len(lines(tmp_path / "log")) == 4)
    scheduler.send_signal(signal.SIGINT)
    assert scheduler.wait(PATIENCE) == 0
    assert lines(tmp_path / "log").count("saved") == 4
    wait_for(lambda: slurm.queue() == [])


def test_preempted_job_runs_again(slurm, tmp_path):
    script = "echo x >> count; test $(wc -l < count) = 2 || sleep 600"
    job = shell_job("preempted", script)
    urgent = []

    def press(snapshot):
        if lines(tmp_path / "count") and not urgent:
            words = ("--partition=urgent", "--cpus-per-task=4", "--output=/dev/null", "--wrap=sleep 1")
            urgent.append(slurm.command("sbatch", *words))
        requeued = slurm.command("squeue", "--noheader", "--states=PENDING", "--name=" + name(), "--format=%i")
        if urgent and requeued.isdigit():  # SLURM lets a requeued job wait for two minutes
            slurm.command("scontrol", "update", f"jobid={requeued}", "StartTime=now")

    def name():
        return json.loads((tmp_path / "jobs" / job.id / "1" / "slurm.json").read_text())["batch"]

    assert schedule([job], tmp_path, {"partition": "work"}, press).finished == 1
    assert urgent
    assert len(lines(tmp_path / "count")) == 2
    assert not (tmp_path / "jobs" / job.id / "2").exists(), "the scheduler has seen one attempt only"


def test_job_that_nears_slurms_limit_saves_its_state_and_is_put_back(slurm, tmp_path):
    script = "trap 'echo saved >> log; exit 130' TERM; echo started >> log; test -e again || { sleep 600 & wait; }"
    job = shell_job("long", script)
    executor = SlurmExecutor(SlurmOptions(**QUICK))
    warned, again = [], []  # SLURM gives its warning once, too

    def warn(snapshot):
        running = slurm.command("squeue", "--noheader", "--states=RUNNING", "--format=%A").split()
        if running and lines(tmp_path / "log") == ["started"] and not warned:
            warned.append(slurm.command("scancel", "--signal=USR2", *running))
        if "saved" in lines(tmp_path / "log"):
            (tmp_path / "again").touch()
            again.append(time.monotonic())
        # SLURM lets a job that was put back wait for two minutes; sooner is all right once its node has cleaned up
        if again and time.monotonic() - again[0] > 5:
            for waiting in slurm.command("squeue", "--noheader", "--states=PENDING", "--format=%A").split():
                slurm.command("scontrol", "update", f"jobid={waiting}", "StartTime=now")

    assert Scheduler(Plan([job]), tmp_path, executor, SchedulerOptions(), warn).run().finished == 1
    assert lines(tmp_path / "log") == ["started", "saved", "started"]
    assert not (tmp_path / "jobs" / job.id / "2").exists()


def test_options_that_slurm_refuses_are_reported_at_once(slurm, tmp_path):
    with pytest.raises(ScheduleError, match=r"SLURM does not take the job 'one': .*invalid partition"):
        schedule([shell_job("one", "true")], tmp_path, {"partition": "nowhere"})


def test_a_job_that_a_person_cancels_in_slurm_is_tried_again(slurm, tmp_path):
    job = shell_job("cancelled", "echo x >> count; test $(wc -l < count) = 2 || sleep 600")
    cancelled = []

    def cancel(snapshot):
        if lines(tmp_path / "count") and not cancelled:
            cancelled.append(slurm.command("scancel", *slurm.queue()))

    assert schedule([job], tmp_path, listener=cancel).finished == 1
    assert "was cancelled in SLURM" in (tmp_path / "journal.jsonl").read_text()


def test_while_slurm_does_not_answer_no_job_is_given_up_or_started_twice(slurm, tmp_path, monkeypatch):
    monkeypatch.setattr(slurm_executor, "read_queue", lambda: None)
    job = shell_job("one", "sleep 2; echo x >> count")
    assert schedule([job], tmp_path).finished == 1
    assert lines(tmp_path / "count") == ["x"]
    attempt = Attempt(job, 1, tmp_path / "jobs" / job.id / "1", tmp_path, job.command)
    with pytest.raises(ScheduleError, match="SLURM does not answer"):
        SlurmExecutor().adopt(attempt, "")


def test_an_attempt_that_never_reached_slurm_is_not_adopted(slurm, tmp_path):
    job = shell_job("one", "true")
    attempt = Attempt(job, 1, tmp_path / "jobs" / job.id / "1", tmp_path, job.command)
    executor = SlurmExecutor()
    assert not executor.adopt(attempt, "")
    executor.start(attempt, executor.slots()[0])  # and the scheduler dies before it polls
    assert not SlurmExecutor().adopt(attempt, "")
    SlurmJob([attempt])()  # if its submission comes late, it does nothing
    assert not (attempt.folder / "output.log").exists()


def test_an_attempt_stopped_before_its_submission_leaves_the_others_their_places(slurm, tmp_path):
    jobs = [shell_job(name, f"echo {name} >> ran") for name in "abc"]
    attempts = [Attempt(job, 1, tmp_path / "jobs" / job.id / "1", tmp_path, job.command) for job in jobs]
    executor = SlurmExecutor(SlurmOptions(**QUICK))
    for attempt in attempts:
        executor.start(attempt, executor.slots()[0])
    executor.stop(attempts[0], now=False)
    [stopped] = executor.poll()
    assert (stopped.job_id, stopped.status) == (jobs[0].id, 130)
    executor.close()
    again = SlurmExecutor(SlurmOptions(**QUICK))
    assert [again.adopt(attempt, "") for attempt in attempts] == [False, True, True]
    ended = []
    wait_for(lambda: ended.extend(again.poll()) or len(ended) == 2)
    assert {one.job_id for one in ended} == {jobs[1].id, jobs[2].id}
    assert sorted(lines(tmp_path / "ran")) == ["b", "c"]


def test_training_runs_on_slurm(slurm, tmp_path):
    job = training_job(tmp_path)
    executor = make_executor("slurm", run_command=main, poll_seconds="0.3", cpus="2", memory_gb="2")
    outcome = Scheduler(Plan([job]), tmp_path, executor, SchedulerOptions()).run()
    assert outcome.finished == 1, (tmp_path / "jobs" / job.id / "1" / "output.log").read_text()
    progress = json.loads((tmp_path / "jobs" / job.id / "1" / "progress.json").read_text())
    assert progress["done"] == progress["total"]


def test_short_jobs_share_allocations_and_the_most_urgent_run_first(slurm, tmp_path):
    jobs = [shell_job(f"j{n}", f"echo {n} $SLURM_JOB_ID >> ran", seconds=10.0 - n) for n in range(8)]
    assert schedule(jobs, tmp_path, {"pack": 4}).finished == 8
    assert len(sent(tmp_path)) == 1
    ran = [line.split() for line in lines(tmp_path / "ran")]
    by_job = {ident: [int(number) for number, other in ran if other == ident] for _, ident in ran}
    assert sorted(by_job.values()) == [[0, 2, 4, 6], [1, 3, 5, 7]], "in two allocations, the longest chains first"
    assert [result(tmp_path, job)["status"] for job in jobs] == [0] * 8


def test_jobs_of_one_allocation_fail_run_out_of_time_and_die_by_themselves(slurm, tmp_path):
    failing = shell_job("failing", "exit 3", seconds=9)
    slow = shell_job("slow", "sleep 600", seconds=8)
    dying = shell_job(
        "its process dies", "echo x >> deaths; test $(wc -l < deaths) = 2 || { kill -9 $PPID; sleep 600; }", seconds=7
    )
    last = shell_job("last", "echo x >> last", seconds=6)
    outcome = schedule([failing, slow, dying, last], tmp_path, {"pack": 4}, retries=1, time_limit=3)
    assert (outcome.finished, outcome.failed) == (2, 2)
    assert result(tmp_path, failing, 2)["status"] == 3
    assert result(tmp_path, slow)["reason"] == "ran over its time limit of 3 s"
    assert len(lines(tmp_path / "deaths")) == 2
    assert lines(tmp_path / "last") == ["x"]
    assert not (tmp_path / "jobs" / last.id / "2").exists(), "the death of another job is no failure of this one"


def test_a_job_that_is_cancelled_leaves_the_others_of_its_allocation(slurm, tmp_path):
    script = "trap 'echo saved >> log; exit 130' TERM; echo started >> log; sleep 600 & wait"
    running, waiting, last = shell_job("a", script, seconds=9), shell_job("b", "echo x >> b"), shell_job("c", "sleep 1")
    save_plan(Plan([running, waiting, last]), tmp_path / "plan.json")
    asked = []

    def cancel(snapshot):
        if lines(tmp_path / "log") and not asked:
            asked.extend(request(tmp_path, "cancel", job.id) for job in (waiting, running))

    outcome = schedule([running, waiting, last], tmp_path, {"pack": 3}, cancel)
    assert (outcome.finished, outcome.cancelled) == (1, 2)
    assert lines(tmp_path / "log") == ["started", "saved"]
    assert not (tmp_path / "b").exists()
    assert len(sent(tmp_path)) == 1


def test_an_allocation_that_is_put_back_goes_on_with_the_job_that_it_stopped(slurm, tmp_path):
    script = "trap 'echo saved >> log; exit 130' TERM; echo started >> log; test -e again || { sleep 600 & wait; }"
    first, long, after = (
        shell_job("first", "echo x >> first", seconds=9),
        shell_job("long", script, seconds=8),
        shell_job("after", "echo x >> after", seconds=7),
    )
    warned, again = [], []

    def warn(snapshot):
        running = slurm.command("squeue", "--noheader", "--states=RUNNING", "--format=%A").split()
        if running and lines(tmp_path / "log") == ["started"] and not warned:
            warned.append(slurm.command("scancel", "--signal=USR2", *running))
        if "saved" in lines(tmp_path / "log"):
            (tmp_path / "again").touch()
            again.append(time.monotonic())
        if again and time.monotonic() - again[0] > 5:
            for waiting in slurm.command("squeue", "--noheader", "--states=PENDING", "--format=%A").split():
                slurm.command("scontrol", "update", f"jobid={waiting}", "StartTime=now")

    assert schedule([first, long, after], tmp_path, {"pack": 3}, warn).finished == 3
    assert lines(tmp_path / "log") == ["started", "saved", "started"]
    assert (lines(tmp_path / "first"), lines(tmp_path / "after")) == (["x"], ["x"])
    assert len(sent(tmp_path)) == 1


def test_a_killed_scheduler_finds_the_jobs_of_an_allocation_again(slurm, tmp_path):
    jobs = [shell_job(name, f"echo {name} >> count; sleep 2; echo {name} >> done") for name in "abc"]
    scheduler = start_scheduler(jobs, tmp_path, "slurm", json.dumps({**QUICK, "pack": 3}))
    wait_for(lambda: lines(tmp_path / "count"))
    scheduler.kill()
    scheduler.wait()
    assert schedule(jobs, tmp_path, {"pack": 3}).finished == 3
    assert sorted(lines(tmp_path / "count")) == sorted(lines(tmp_path / "done")) == ["a", "b", "c"]
