"""Experiment files: the runs that follow, the mistakes that are named, and a pool that can be stopped and goes on."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mvlpt.errors import ConfigError
from mvlpt.schedule import load_experiment, run_specs

ROOT = Path(__file__).resolve().parents[2]
CONFIG = str(ROOT / "configs" / "trainers" / "MVLPT-CoOp" / "embedded.yaml")
ZERO_SHOT = str(ROOT / "configs" / "trainers" / "ZeroshotCLIP" / "embedded.yaml")


def write(path, **changes):
    content = {
        "tasks": ["toy-warm", "toy-cold"],
        "trainers": [CONFIG],
        "zero_shot": ZERO_SHOT,
        "seeds": [1, 2],
        "shots": [1],
    }
    content["arm_options"] = {"all": {"DATALOADER.TASK_BATCHES": "single", "DATASET.MULTITASK_LABEL_PERTASK": True}}
    path.write_text(json.dumps({**content, **changes}))  # JSON is YAML
    return path


def test_every_arm_task_and_seed_has_its_run(tmp_path):
    specs = load_experiment(write(tmp_path / "e.yaml")).runs()
    names = {spec.name for spec in specs}
    assert len(specs) == len(names) == 2 + 2 * (1 + 2)  # zero-shot, and per seed one shared and two alone
    assert "MVLPT-CoOp/all/1shot/seed2" in names
    assert "MVLPT-CoOp/single/1shot/seed1/toy-cold" in names
    assert specs[0].name.startswith("MVLPT-CoOp/all")  # the longest first
    cfg = next(spec for spec in specs if spec.name == "MVLPT-CoOp/all/1shot/seed2").config(tmp_path)
    assert (cfg.DATASET.DATASET, cfg.SEED, cfg.DATALOADER.TASK_BATCHES) == ("toy-warm,toy-cold", 2, "single")
    cfg = next(spec for spec in specs if spec.name == "MVLPT-CoOp/single/1shot/seed1/toy-cold").config(tmp_path)
    assert (cfg.DATASET.DATASET, cfg.DATALOADER.TASK_BATCHES) == ("toy-cold", "mixed")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"task": ["a"]}, "unknown key 'task'; did you mean 'tasks'"),
        ({"tasks": "toy-warm"}, "tasks takes a list"),
        ({"tasks": []}, "tasks is empty"),
        ({"tasks": ["a", "a"]}, "named twice"),
        ({"arms": ["alone"]}, "arm 'alone' is unknown"),
        ({"seeds": ["x"]}, "seeds must list whole numbers"),
    ],
)
def test_mistakes_are_named(tmp_path, changes, expected):
    with pytest.raises(ConfigError, match=expected):
        load_experiment(write(tmp_path / "e.yaml", **changes))


def test_every_task_makes_as_many_steps_together_as_alone(toy_tasks, tmp_path):
    """The demo's promise, read off the checkpoints: Adam counts its steps."""
    import torch

    experiment = load_experiment(write(tmp_path / "e.yaml", seeds=[1], options={"OPTIM.MAX_EPOCH": 3}))
    rows = run_specs(experiment.runs(), tmp_path / "out", workers=1)
    assert {(row["arm"], row["task"]) for row in rows} == {
        (arm, task) for arm in ("zero_shot", "single", "all") for task in ("toy-warm", "toy-cold")
    }

    def steps(folder):
        path = tmp_path / "out" / "MVLPT-CoOp" / folder / "prompt_learner" / "model.pth.tar-3"
        (state,) = torch.load(path, weights_only=True)["optimizer"]["state"].values()
        return int(state["step"])

    alone = [steps(f"single/1shot/seed1/{task}") for task in ("toy-warm", "toy-cold")]
    assert steps("all/1shot/seed1") == sum(alone)


def test_a_second_call_only_reports(toy_tasks, tmp_path):
    experiment = load_experiment(write(tmp_path / "e.yaml", seeds=[1], options={"OPTIM.MAX_EPOCH": 1}))
    first = run_specs(experiment.runs(), tmp_path / "out", workers=1)
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("run.json")}
    second = run_specs(experiment.runs(), tmp_path / "out", workers=1)
    assert sorted(map(str, first)) == sorted(map(str, second))
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps


@pytest.mark.slow
def test_the_demo_is_stopped_by_ctrl_c_and_goes_on(tmp_path):
    options = {"OPTIM.MAX_EPOCH": 3000}
    file = write(tmp_path / "e.yaml", tasks=["weather-plain", "tools-plain"], seeds=[1], zero_shot="", options=options)
    line = [
        sys.executable,
        "-m",
        "mvlpt.cli",
        "demo",
        "--config-file",
        str(file),
        "--output-dir",
        str(tmp_path / "out"),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    program = subprocess.Popen([*line, "--workers", "2"], stderr=subprocess.PIPE, text=True, env=environment)
    deadline = time.monotonic() + 180
    while not list((tmp_path / "out").rglob("log.txt")):
        assert time.monotonic() < deadline, "no run began"
        assert program.poll() is None, program.stderr.read()
        time.sleep(0.2)
    program.send_signal(signal.SIGINT)
    _, said = program.communicate(timeout=60)
    assert program.returncode == 130, said
    states = [json.loads(path.read_text())["state"] for path in (tmp_path / "out").rglob("run.json")]
    assert "interrupted" in states
    assert "running" not in states
    shorter = write(
        tmp_path / "e.yaml", tasks=["weather-plain", "tools-plain"], seeds=[1], zero_shot="", options=options
    )
    for spec in load_experiment(shorter).runs():
        if (tmp_path / "out" / spec.name / "run.json").exists():
            assert spec.config(tmp_path / "out").RESUME
