"""Jobs inside a process: what run_attempt changes and puts back, the inline executor, time limits and Ctrl-C."""

import contextlib
import errno
import io
import json
import os
import signal
import time
from pathlib import Path

import pytest
from support.local_attempts import attempt

from mvlpt.cli.warm import run_warm
from mvlpt.errors import PlanError, RunFolderError
from mvlpt.schedule.executors.inline import InlineExecutor
from mvlpt.schedule.executors.registry import make_executor
from mvlpt.schedule.jobs import Job, Plan
from mvlpt.schedule.journal import read_records
from mvlpt.schedule.scheduler import Scheduler
from mvlpt.schedule.worker.execution import run_attempt
from mvlpt.schedule.worker.loop import WorkerLoop
from mvlpt.schedule.worker.messages import result_of


def inside(root, function, **fields):
    return run_attempt(
        attempt(root, ["mvlpt", "x", "--y"], **fields), function, capture=fields.get("capture", True), may_exit=False
    )


def test_surroundings_are_put_back(tmp_path, capfd):
    seen = {}

    def command(words):
        seen.update(words=words, cwd=os.getcwd(), variable=os.environ.get("MVLPT_Z"))
        print("printed")
        os.system("echo by a child")
        return 0

    before = os.getcwd(), dict(os.environ)
    assert inside(tmp_path, command, environment={"MVLPT_Z": "1"}).status == 0
    assert seen == {"words": ["x", "--y"], "cwd": str(tmp_path), "variable": "1"}
    assert (os.getcwd(), dict(os.environ)) == before
    assert capfd.readouterr().out == ""
    assert (tmp_path / "jobs/a/1/output.log").read_text() == "printed\nby a child\n"


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (SystemExit(5), 5, "ended with status 5"),
        (SystemExit(), 0, ""),
        (SystemExit("no"), 1, "ended with status 1"),
        (KeyError("x"), 1, "KeyError: 'x'"),
        (KeyboardInterrupt(), 130, "stopped at once"),
    ],
)
def test_every_way_out_of_a_command_is_a_status(tmp_path, error, status, reason):
    def command(words):
        raise error

    ended = inside(tmp_path, command)
    assert (ended.status, ended.reason) == (status, reason)


def test_a_command_inside_is_stopped_gently_and_then_by_an_exception(tmp_path):
    from mvlpt.runtime.interrupts import StopRequest

    def stops_gently(words):
        with StopRequest() as stop:
            while not stop.requested:
                time.sleep(0.01)
        return 130

    ended = inside(tmp_path, stops_gently, time_limit=0.2)
    assert (ended.status, ended.reason) == (124, "ran over its time limit of 0.2 s")

    def twice(words):
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        raise AssertionError("it goes on")

    ended = inside(tmp_path, twice, number=2)
    assert (ended.status, ended.reason) == (130, "stopped at once")


def test_resources_are_shared_from_command_to_command(monkeypatch):
    from mvlpt.engine.resources import current_resources

    seen = []
    monkeypatch.setattr("mvlpt.cli.main", lambda words: seen.append(current_resources()))
    assert (run_warm(["a"]), run_warm(["b"])) == (0, 0)
    assert seen[0] is seen[1]


def test_inline_runs_a_plan_in_this_process(tmp_path, capfd):
    pids = []

    def main(words):
        pids.append(os.getpid())
        print("seen at once")
        return 0

    plan = Plan(
        [
            Job("a", "train", "a", ("mvlpt", "train")),
            Job("b", "command", "b", ("sh", "-c", "echo b > b.txt"), ("a",), outputs=("b.txt",)),
        ]
    )
    assert Scheduler(plan, tmp_path, make_executor("inline", run_command=main)).run().finished == 2
    assert pids == [os.getpid()]
    assert "seen at once" in capfd.readouterr().out
    assert Path(tmp_path / "b.txt").read_text() == "b\n"


def test_commands_run_in_the_folder_that_the_plan_names(tmp_path):
    (tmp_path / "sub").mkdir()
    jobs = [Job("a", "command", "a", ("sh", "-c", "pwd > out; pwd"), outputs=("sub/out",))]
    assert Scheduler(Plan(jobs, {"cwd": "sub"}), tmp_path, InlineExecutor()).run().finished == 1
    assert (tmp_path / "sub" / "out").read_text() == f"{tmp_path}/sub\n"
    with pytest.raises(PlanError, match="facts is 3"):
        Scheduler(Plan(jobs, {"cwd": 3}), tmp_path, InlineExecutor())


@pytest.mark.parametrize(
    ("sent", "ignored"),
    [
        (signal.SIGINT, None),
        (signal.SIGTERM, None),
        (signal.SIGTERM, signal.SIGINT),  # as in the background of a script, or under nohup
        (signal.SIGINT, signal.SIGTERM),
    ],
)
def test_a_signal_in_an_inline_job_stops_the_scheduler_too(tmp_path, sent, ignored):
    from mvlpt.runtime.interrupts import StopRequest

    def main(words):
        with StopRequest() as stop:
            os.kill(os.getpid(), sent)
            time.sleep(0.01)
            return 130 if stop.requested else 0

    plan = Plan([Job("a", "train", "a", ("mvlpt", "a")), Job("b", "train", "b", ("mvlpt", "b"), ("a",))])
    before = signal.signal(ignored, signal.SIG_IGN) if ignored else None
    try:
        outcome = Scheduler(plan, tmp_path, InlineExecutor(main)).run()
    finally:
        if ignored:
            signal.signal(ignored, before)
    assert (outcome.interrupted, outcome.failed, outcome.waiting) == (True, 0, 2)
    records = read_records(tmp_path, plan)
    assert (records["a"].attempts, records["a"].failures) == (1, 0)


def test_a_full_disk_is_the_reason_though_the_worker_cannot_even_say_so(tmp_path, monkeypatch):
    class Full(io.StringIO):
        def write(self, text):
            raise OSError(errno.ENOSPC, "No space left on device")

    def fail(one, run_command):
        raise RunFolderError("Cannot write result.json: No space left on device")

    monkeypatch.setattr("mvlpt.schedule.worker.loop.run_attempt", fail)
    results, reports = os.pipe()
    loop = WorkerLoop(lambda words: 0, os.open(os.devnull, os.O_RDONLY), reports)
    with contextlib.redirect_stderr(Full()):
        loop._run(attempt(tmp_path, "true"))
    ended = result_of(json.loads(os.read(results, 65536)))
    assert (ended.status, ended.reason) == (1, "Cannot write result.json: No space left on device")
    os.close(reports)
    os.close(results)
