"""The ray executor on a real Ray of this machine."""

import json
import os
import signal
import socket
from pathlib import Path

import pytest
from support.plans import (
    PATIENCE,
    descendants,
    diamond,
    lines,
    running,
    shell_job,
    start_scheduler,
    training_job,
    wait_for,
)

from mvlpt.cli import main
from mvlpt.errors import ScheduleError
from mvlpt.schedule.control import request
from mvlpt.schedule.executors.ray.options import RayOptions
from mvlpt.schedule.jobs import Job, Plan, job_id
from mvlpt.schedule.journal import read_records
from mvlpt.schedule.plan_file import save_plan
from mvlpt.schedule.scheduler import Scheduler, SchedulerOptions

ray = pytest.importorskip("ray", reason="Ray is not installed (pip install 'mvlpt[ray]')")
pytestmark = pytest.mark.ray

from mvlpt.schedule.executors.ray.executor import RayExecutor  # noqa: E402


@pytest.fixture(scope="module")
def cluster():
    """A Ray with four cores and two GPUs in name, which the executors of this module join and leave running."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("CUDA_VISIBLE_DEVICES", raising=False)  # tests see no GPU, and Ray would believe that
        ray.init(address="local", include_dashboard=False, num_cpus=4, num_gpus=2, log_to_driver=False)
        yield
        ray.shutdown()


def schedule(jobs, root, options=None, listener=None, run_command=None, **rules):
    root.mkdir(parents=True, exist_ok=True)
    save_plan(Plan(jobs), root / "plan.json")  # requests of other processes are checked against it
    executor = RayExecutor(RayOptions(**{"gpus": 0.0, **(options or {})}), run_command)
    return Scheduler(Plan(jobs), root, executor, SchedulerOptions(**{"backoff": 0.1, **rules}), listener).run()


def test_diamond_runs_in_order(cluster, tmp_path):
    outcome = schedule(diamond(), tmp_path / "a study")
    assert (outcome.finished, outcome.failed) == (4, 0)
    assert (tmp_path / "a study" / "d").read_text() == "abacd"


def test_failures_are_retried_by_the_scheduler_and_deaths_by_ray(cluster, tmp_path):
    second = shell_job("second time", "echo x >> tries; test $(wc -l < tries) = 2")
    script = "echo x >> deaths; test $(wc -l < deaths) = 3 || { kill -9 $PPID; sleep 600; }"
    dying = shell_job("its worker dies", script)
    failing = shell_job("failing", "exit 3")
    after = shell_job("after", "true", [failing])
    slow = shell_job("slow", "sleep 600")
    outcome = schedule([second, dying, failing, after, slow], tmp_path, retries=1, time_limit=4)
    assert (outcome.finished, outcome.failed, outcome.blocked) == (2, 2, 1)
    assert not (tmp_path / "jobs" / dying.id / "2").exists(), "Ray has started it again, not the scheduler"
    assert json.loads((tmp_path / "jobs" / failing.id / "2" / "result.json").read_text())["status"] == 3


def test_a_job_whose_worker_always_dies_fails_with_the_reason(cluster, tmp_path):
    outcome = schedule([shell_job("x", "kill -9 $PPID; sleep 600")], tmp_path, {"node_retries": 1}, retries=0)
    assert outcome.failed == 1
    assert "lost its process or node 2 times" in (tmp_path / "journal.jsonl").read_text()


def test_cancelled_job_saves_its_state(cluster, tmp_path):
    script = "trap 'echo saved >> log; exit 130' TERM; echo started >> log; sleep 600 & wait"
    jobs = [shell_job("cancelled", script), shell_job("other", "sleep 1")]
    asked = []

    def cancel(snapshot):
        if lines(tmp_path / "log") and not asked:
            asked.append(request(tmp_path, "cancel", jobs[0].id))

    outcome = schedule(jobs, tmp_path, listener=cancel)
    assert (outcome.finished, outcome.cancelled) == (1, 1)
    assert lines(tmp_path / "log") == ["started", "saved"]


def command_line(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def left_of(family):
    commands = {pid: command_line(pid) for pid in family if running(pid)}
    return {pid: command for pid, command in commands.items() if "agent" not in command.lower()}


def test_killed_scheduler_leaves_nothing_behind_and_is_taken_up(cluster, tmp_path):
    script = "echo $$ >> pids; test $(wc -l < pids) = 2 || { sleep 600 & wait; }"
    jobs = [shell_job("first", "echo x >> first"), shell_job("one", script)]
    scheduler = start_scheduler(jobs, tmp_path, "ray", json.dumps({"jobs": 1, "gpus": 0}))
    wait_for(lambda: lines(tmp_path / "pids"))
    family = descendants(scheduler.pid)
    assert any("raylet" in command_line(pid) for pid in family)
    scheduler.kill()
    scheduler.wait()
    # Ray's own agents notice only after a minute
    wait_for(lambda: not left_of(family), found=lambda: left_of(family))
    assert not running(int(lines(tmp_path / "pids")[0]))
    before = lines(tmp_path / "first")
    assert schedule(jobs, tmp_path).finished == 2
    assert len(lines(tmp_path / "pids")) == 2
    assert before in ([], ["x"])
    assert lines(tmp_path / "first") == ["x"], "a finished job does not run twice"


def test_interrupted_scheduler_lets_jobs_save_their_state(tmp_path):
    script = "trap 'echo saved >> log; exit 130' TERM; echo started >> log; sleep 600 & wait"
    scheduler = start_scheduler([shell_job("one", script)], tmp_path, "ray", json.dumps({"gpus": 0}))
    wait_for(lambda: lines(tmp_path / "log"))
    scheduler.send_signal(signal.SIGINT)
    assert scheduler.wait(PATIENCE) == 0
    assert lines(tmp_path / "log") == ["started", "saved"]


def test_a_raylet_that_died_stops_the_scheduler_and_costs_no_retries(tmp_path):
    first = shell_job("first", "touch begun; while [ ! -e go ]; do sleep 0.1; done")
    second = shell_job("second", "true", [first])
    scheduler = start_scheduler([first, second], tmp_path, "ray", json.dumps({"gpus": 0, "jobs": 1}))
    wait_for(lambda: (tmp_path / "begun").exists())
    [raylet] = [pid for pid in descendants(scheduler.pid) if command_line(pid).split("\0")[0].endswith("/raylet")]
    os.kill(raylet, signal.SIGKILL)
    (tmp_path / "go").touch()
    assert scheduler.wait(PATIENCE) == 1
    assert "Ray's process on this machine (raylet) has died" in (tmp_path / "scheduler.log").read_text()
    records = read_records(tmp_path, Plan([first, second]))
    assert records[first.id].state in ("finished", "running")
    assert (records[second.id].state, records[second.id].failures) in (("running", 0), ("waiting", 0))


def test_shares_of_a_gpu_follow_from_memory(cluster, tmp_path):
    executor = RayExecutor(RayOptions(gpu_memory_mb=10_000))
    assert executor.share == 1.0
    assert len(executor.slots()) == 4  # a core each
    script = "echo $CUDA_VISIBLE_DEVICES; sleep 1"
    jobs = [shell_job(name, script + f" # {name}", memory_mb=4_000) for name in "abc"]
    outcome = Scheduler(Plan(jobs), tmp_path, executor, SchedulerOptions()).run()
    assert outcome.finished == 3
    printed = [(tmp_path / "jobs" / job.id / "1" / "output.log").read_text().strip() for job in jobs]
    assert set(printed) <= {"0", "1"}
    assert len(printed) == 3


def test_commands_of_mvlpt_share_a_warm_process(cluster, tmp_path):
    def run_command(words):  # Ray takes it to the workers by value
        print(os.getpid())
        return 0 if words[0] == "nothing" else main(words)

    jobs = []
    for index in range(2):
        command = ("mvlpt", "nothing", str(index))
        jobs.append(Job(job_id(command), "command", str(index), command, () if not jobs else (jobs[0].id,)))
    assert schedule(jobs, tmp_path, {"jobs": 1}, run_command=run_command).finished == 2
    logs = [(tmp_path / "jobs" / job.id / "1" / "output.log").read_text() for job in jobs]
    assert logs[0] == logs[1]
    assert schedule([training_job(tmp_path / "t")], tmp_path / "t", run_command=run_command).finished == 1


def test_options_that_no_cluster_meets_are_refused(cluster):
    with pytest.raises(ScheduleError, match="A job asks for 64 CPU, but the Ray cluster has 4"):
        RayExecutor(RayOptions(cpus=64))
    with pytest.raises(ScheduleError, match="A job asks for 1 disk, but the Ray cluster has 0"):
        RayExecutor(RayOptions(resources="disk:1"))


def test_no_cluster_at_the_address(monkeypatch):
    from mvlpt.schedule.executors.ray import executor as ray_executor

    def refuse(**options):
        raise ConnectionError(f"Could not find any running Ray instance at {options['address']}\nmore")

    monkeypatch.setattr(ray, "init", refuse)
    with pytest.raises(ScheduleError, match="no Ray cluster at 'auto': Could not find"):
        ray_executor._connect(ray, "auto")


@pytest.mark.parametrize("form", ["127.0.0.1:{}", "ray://127.0.0.1:{}", "127.0.0.1:{}x"])
def test_an_address_where_nobody_answers_is_reported_at_once(monkeypatch, form):
    """Ray would wait: after ten minutes it was still trying."""

    def hang(**options):
        raise AssertionError("Ray was asked")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", hang)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        address = form.format(taken.getsockname()[1])
        with pytest.raises(ScheduleError, match=f"There is no Ray cluster at '{address}': "):
            RayExecutor(RayOptions(address=address))
