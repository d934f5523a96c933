"""Killing: schedulers, workers and jobs at any moment; what comes out is what an unbroken run gives."""

import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from support.local_attempts import alive, until
from support.plans import PATIENCE
from support.toy import write_tasks

from mvlpt.schedule.jobs import Job, Plan
from mvlpt.schedule.journal import read_events, read_records
from mvlpt.schedule.plan_file import load_plan, save_plan
from mvlpt.schedule.run import RunOptions, run_plan
from mvlpt.schedule.worker.processes import VARIABLE

RUN_PLAN = Path(__file__).parents[1] / "support" / "run_plan.py"
JOBS, KILLS = 30, 20


def thirty_jobs():
    """A random graph; each job writes a hash of what it needs, in two parts with a pause between them."""
    rng = random.Random(11)
    jobs = []
    for number in range(JOBS):
        needs = rng.sample(jobs, min(len(jobs), rng.randint(0, 3)))
        inputs = " ".join(f"out/{job.name}" for job in needs)
        script = (
            f"mkdir -p out; echo begin {number} > out/j{number}; sleep 0.0{rng.randint(1, 6)};"
            f" cat /dev/null {inputs} | sha256sum >> out/j{number}"
        )
        jobs.append(
            Job(
                f"id{number}",
                "command",
                f"j{number}",
                ("sh", "-c", script),
                tuple(job.id for job in needs),
                outputs=(f"out/j{number}",),
                seconds=0.05,
            )
        )
    return Plan(jobs)


def start(root, **options):
    """The scheduler as a process of its own."""
    command = [sys.executable, str(RUN_PLAN), str(root), json.dumps(options)]
    with open(root / "scheduler.log", "ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "OMP_NUM_THREADS": "1"})


def kill(pid):
    """Whether the process was still there."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def results(root):
    return {path.name: path.read_text() for path in (root / "out").iterdir()}


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    root = tmp_path_factory.mktemp("unbroken")
    save_plan(thirty_jobs(), root / "plan.json")
    assert start(root).wait(PATIENCE) == 0
    return results(root)


def check_journal(root):
    """No job lost, and none started again once it had finished."""
    finished, events = Counter(), [entry for _, entry in read_events(root)]
    for entry in events:
        if entry["event"] == "started":
            assert not finished[entry["job"]], f"{entry['job']} was started again after it had finished"
        elif entry["event"] == "ended" and entry["state"] == "finished":
            finished[entry["job"]] += 1
    assert finished == dict.fromkeys((f"id{number}" for number in range(JOBS)), 1)


@pytest.mark.slow
def test_twenty_kills_anywhere_change_nothing(tmp_path, unbroken):
    rng = random.Random(5)
    kills, trials = Counter(scheduler=0, any=0, both=0), 0

    def enough():
        return sum(kills.values()) >= KILLS and min(kills.values()) >= 3  # of each kind, however slow the machine

    while not enough():
        root = tmp_path / f"trial{trials}"
        root.mkdir()
        trials += 1
        save_plan(thirty_jobs(), root / "plan.json")
        scheduler = start(root, scheduler={"retries": 1000, "backoff": 0.01})
        while True:
            if enough():
                assert scheduler.wait(PATIENCE) == 0
                break
            time.sleep(rng.uniform(0.05, 0.5))
            if scheduler.poll() is not None:
                assert scheduler.returncode == 0
                break
            target = (
                rng.choice(["scheduler", "any", "both"]) if sum(kills.values()) < KILLS else min(kills, key=kills.get)
            )
            others = alive(root)
            if target != "scheduler" and not others:
                continue  # on a slow machine no job has started yet
            if target != "scheduler" and kill(rng.choice(others)):
                kills[target] += 1
            if target != "any" and kill(scheduler.pid):
                kills[target] += target == "scheduler"
                scheduler.wait()
                if target == "scheduler":
                    until(lambda: not alive(root))  # noqa: B023 - called at once
                scheduler = start(root, scheduler={"retries": 1000, "backoff": 0.01})
        assert results(root) == unbroken
        check_journal(root)
        assert alive(root) == []


def test_no_process_outlives_a_killed_scheduler(tmp_path):
    script = "setsid sleep 600 & sleep 600 & touch ready; sleep 600"
    save_plan(Plan([Job("a", "command", "a", ("sh", "-c", script))]), tmp_path / "plan.json")
    scheduler = start(tmp_path)
    until(lambda: (tmp_path / "ready").exists())
    until(lambda: len(alive(tmp_path)) == 5)  # worker, shell, two sleeps in its group, one in a session of its own
    kill(scheduler.pid)
    scheduler.wait()
    until(lambda: not alive(tmp_path))


def test_scheduler_and_worker_killed_together_leave_nothing_to_the_next(tmp_path):
    script = "if [ -e again ]; then exit 0; fi; touch again; sleep 600 & sleep 601"
    save_plan(Plan([Job("a", "command", "a", ("sh", "-c", script))]), tmp_path / "plan.json")
    scheduler = start(tmp_path)
    until(lambda: (tmp_path / "again").exists())
    os.kill(scheduler.pid, signal.SIGSTOP)  # so that it cannot clean up
    for pid in alive(tmp_path):
        if b"mvlpt.cli.worker" in Path(f"/proc/{pid}/cmdline").read_bytes():
            kill(pid)
    kill(scheduler.pid)
    scheduler.wait()
    assert start(tmp_path).wait(PATIENCE) == 0
    assert alive(tmp_path) == []
    assert read_records(tmp_path, load_plan(tmp_path / "plan.json"))["a"].failures == 0


@pytest.mark.parametrize("signals", [1, 2])
def test_ctrl_c(tmp_path, signals):
    """Once: the job saves its state. Twice: it is ended although it ignores that."""
    trap = "trap 'echo saved > state; exit 130' TERM; " if signals == 1 else "trap 'touch asked' TERM; "
    script = trap + "[ -e state ] && exit 0; touch ready; while :; do sleep 0.02; done"
    jobs = [Job("a", "command", "a", ("sh", "-c", script)), Job("b", "command", "b", ("true",), ("a",))]
    save_plan(Plan(jobs), tmp_path / "plan.json")
    scheduler = start(tmp_path)
    until(lambda: (tmp_path / "ready").exists())
    scheduler.send_signal(signal.SIGINT)
    if signals == 2:
        until(lambda: (tmp_path / "asked").exists())  # or the second signal could join the first
        assert scheduler.poll() is None, "the job does not end by itself"
        scheduler.send_signal(signal.SIGINT)
    assert scheduler.wait(PATIENCE) == 130
    assert alive(tmp_path) == []
    record = read_records(tmp_path, load_plan(tmp_path / "plan.json"))["a"]
    assert (record.state, record.failures) == ("waiting", 0)
    (tmp_path / "state").write_text("saved\n")
    assert start(tmp_path).wait(PATIENCE) == 0


def test_two_schedulers_on_one_folder(tmp_path):
    script = "touch ready; while [ ! -e go ]; do sleep 0.02; done"
    save_plan(Plan([Job("a", "command", "a", ("sh", "-c", script))]), tmp_path / "plan.json")
    first = start(tmp_path)
    until(lambda: (tmp_path / "ready").exists())
    done = subprocess.run([sys.executable, str(RUN_PLAN), str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"process {first.pid})" in done.stderr
    (tmp_path / "go").touch()
    assert first.wait(PATIENCE) == 0


def test_a_disk_that_fills_up_is_one_sentence_and_the_same_command_goes_on(tmp_path, unbroken):
    """A limit on the size of files stands for the disk; the line that does not fit any more is torn."""
    save_plan(thirty_jobs(), tmp_path / "plan.json")
    done = subprocess.run(
        [sys.executable, str(RUN_PLAN), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (3000, resource.RLIM_INFINITY)),
    )
    assert "journal.jsonl: File too large; free or choose another folder" in done.stderr.splitlines()[-1]
    assert (tmp_path / "journal.jsonl").stat().st_size == 3000
    assert not (tmp_path / "journal.jsonl").read_bytes().endswith(b"\n")
    assert alive(tmp_path) == []
    assert start(tmp_path).wait(PATIENCE) == 0
    assert results(tmp_path) == unbroken
    check_journal(tmp_path)


CONFIG = "configs/trainers/MVLPT-CoOp/embedded.yaml"
HOW = ["--shots", "2", "--seed", "1", "--quiet", "--resume"]


def training_plan(root, tasks):
    """Two real runs of a few seconds, on toy tasks that a plug-in registers."""
    jobs = []
    for name, task in (("one", "toy-warm"), ("two", "toy-warm,toy-cold")):
        folder = str(root / name)
        words = ["mvlpt", "train", "--config-file", CONFIG, "--plugin", str(tasks / "plugin.py"), "--dataset", task]
        words += ["--output-dir", folder, *HOW, "OPTIM.MAX_EPOCH", "40", "DATALOADER.TRAIN_X.BATCH_SIZE", "4"]
        words += ["RUN.TENSORBOARD", "False"]
        words += ["RUN.THREADS", "1"]
        needs = (jobs[-1].id,) if jobs else ()
        jobs.append(Job(name, "train", name, tuple(words), needs, outputs=(f"{name}/prompt.safetensors",)))
    return Plan(jobs)


@pytest.fixture(scope="module")
def tasks(tmp_path_factory):
    root = write_tasks(tmp_path_factory.mktemp("tasks"))
    (root / "plugin.py").write_text(
        "from pathlib import Path\n"
        "from mvlpt.data.datasets import DATASET_REGISTRY\n"
        "from mvlpt.datasets.embedded import embedded_names, embedded_task\n"
        "root = Path(__file__).parent\n"
        "if 'toy-warm' not in DATASET_REGISTRY.registered_names():\n"
        "    DATASET_REGISTRY.register_family(lambda: embedded_names(root), lambda name: embedded_task(name, root))\n"
    )
    return root


@pytest.mark.slow
def test_training_that_is_killed_ends_in_the_same_prompts(tmp_path, tasks):
    def outcome(root):
        return [
            ((root / name / "prompt.safetensors").read_bytes(), (root / name / "results.jsonl").read_text())
            for name in ("one", "two")
        ]

    roots = [tmp_path / "unbroken", tmp_path / "killed"]
    for root in roots:
        root.mkdir()
        save_plan(training_plan(root, tasks), root / "plan.json")
    assert run_plan(training_plan(roots[0], tasks), roots[0], RunOptions("inline")).finished == 2  # in this process
    root = roots[1]
    options = {"local": {"slots": 1}, "scheduler": {"retries": 3}}
    scheduler = start(root, **options)

    def trains(job, attempt):
        return (root / "jobs" / job / str(attempt) / "progress.json").exists()

    until(lambda: trains("one", 1))
    for pid in alive(root):
        kill(pid)  # the worker: the scheduler starts the run again
    until(lambda: trains("one", 2))
    time.sleep(0.1)
    kill(scheduler.pid)
    scheduler.wait()
    until(lambda: not alive(root))
    attempts = read_records(root, training_plan(root, tasks))["two"].attempts
    scheduler = start(root, **options)
    until(lambda: trains("two", attempts + 1))
    scheduler.send_signal(signal.SIGINT)  # the run saves its state in mid-epoch
    assert scheduler.wait(PATIENCE) == 130
    assert json.loads((root / "two" / "run.json").read_text())["state"] == "interrupted"
    assert start(root, **options).wait(PATIENCE) == 0
    assert outcome(roots[0]) == outcome(root)
    records = read_records(root, training_plan(root, tasks))
    assert (records["one"].failures, records["two"].failures) == (1, 0)


def test_the_mark_is_inherited(tmp_path):
    process = subprocess.Popen(["sleep", "60"], env={**os.environ, VARIABLE: f"1.1:{tmp_path}"})
    try:
        until(lambda: alive(tmp_path) == [process.pid])
    finally:
        process.kill()
        process.wait()
    assert alive(tmp_path) == []
