"""``mvlpt experiment`` and ``mvlpt demo``: end to end on toy tasks, again, stopped, edited, and with mistakes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image
from support.plans import PATIENCE

from mvlpt.cli import main
from mvlpt.schedule import load_plan

ROOT = Path(__file__).resolve().parents[2]
TASKS = ["toy-warm", "toy-cold", "toy-all"]
SHARED = {"DATALOADER.TASK_BATCHES": "single", "DATASET.MULTITASK_LABEL_PERTASK": True}


def trainer(name):
    return str(ROOT / "configs" / "trainers" / name / "embedded.yaml")


def write(path, **changes):
    content = {
        "tasks": TASKS,
        "trainers": [trainer("MVLPT-CoOp")],
        "zero_shot": trainer("ZeroshotCLIP"),
        "arms": ["single", "all", "grouped"],
        "arm_options": {"all": SHARED, "grouped": SHARED},
        "seeds": [1, 2],
        "options": {"OPTIM.MAX_EPOCH": 3, "DATALOADER.TRAIN_X.BATCH_SIZE": 2},
        "grouping": {"groups": 2, "pictures": False},
        "executor": {"name": "inline", "retries": 0},
        **changes,
    }
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))
    return path


def run(file, output, *flags, verb="experiment"):
    return main([verb, "--config-file", str(file), "--output-dir", str(output), *map(str, flags)])


def rows_of(folder):
    return [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]


def steps(folder):
    """Optimiser steps of a run, read off its checkpoint: Adam counts them."""
    (path,) = (folder / "prompt_learner").glob("model.pth.tar-*")
    (state,) = torch.load(path, weights_only=True)["optimizer"]["state"].values()
    return int(state["step"])


@pytest.fixture(scope="module")
def finished(toy_tasks, tmp_path_factory):
    """A whole experiment, run once."""
    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("experiment")
    file = write(root / "e.yaml", arms=["single", "all", "grouped", "transfer"], sources=TASKS[:2], targets=TASKS[2:])
    assert run(file, root / "out") == 0
    return file, root / "out"


def test_every_stage_leaves_its_files(finished, capsys):
    _, out = finished
    kept = {path.name for path in out.iterdir()}
    assert kept >= {
        "graph", "plan.json", "plan.png", "calibration.json", "journal.jsonl", "jobs", "results.jsonl", "results.md",
        "results.csv", "features", "MVLPT-CoOp", "ZeroshotCLIP",
    }  # fmt: skip
    assert {"task_graph.json", "groups.yaml"} <= {path.name for path in (out / "graph").iterdir()}
    counted = Counter((row["arm"], row["seed"]) for row in rows_of(out))
    assert counted == {
        ("zero_shot", 0): 3, **{(arm, seed): 3 for arm in ("single", "all", "grouped") for seed in (1, 2)},
        ("transfer", 1): 1, ("transfer", 2): 1,
    }  # fmt: skip
    assert "grouped" in (out / "results.md").read_text()


def test_every_task_makes_as_many_steps_in_every_arm(finished):
    _, out = finished
    folder = out / "MVLPT-CoOp"
    for seed in (1, 2):
        alone = {task: steps(folder / "single" / "1shot" / f"seed{seed}" / task) for task in TASKS}
        assert steps(folder / "all" / "1shot" / f"seed{seed}") == sum(alone.values())
        groups = [job for job in load_plan(out / "plan.json") if job.labels.get("arm") == "grouped"]
        groups = [job for job in groups if job.labels["seed"] == seed]
        assert sorted(task for job in groups for task in job.labels["tasks"]) == sorted(TASKS)
        for job in groups:
            assert steps(out / job.name) == sum(alone[task] for task in job.labels["tasks"])


def test_the_same_command_again_only_reports(finished, capsys):
    file, out = finished
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.name in ("run.json", "journal.jsonl")}
    scores = rows_of(out)
    assert run(file, out) == 0
    shown = capsys.readouterr().out
    assert "jobs have finished; nothing was run" in shown
    assert "zero-shot" in shown
    assert rows_of(out) == scores
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_lost_result_is_made_again_and_nothing_else(finished, capsys):
    file, out = finished
    scores = rows_of(out)
    lost = out / "MVLPT-CoOp" / "single" / "1shot" / "seed2" / "toy-cold"
    other = out / "MVLPT-CoOp" / "single" / "1shot" / "seed1" / "toy-cold" / "run.json"
    stamp = other.stat().st_mtime_ns
    for path in sorted(lost.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    assert run(file, out) == 0
    assert (lost / "results.jsonl").exists()
    assert other.stat().st_mtime_ns == stamp
    assert sorted(map(str, rows_of(out))) == sorted(map(str, scores))


@pytest.mark.parametrize("command", ["schedule run", "experiment"])
def test_an_experiment_in_another_place_leaves_the_old_one_alone(finished, tmp_path, command):
    file, out = finished
    copy = shutil.copytree(out, tmp_path / "moved")
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    lost = "MVLPT-CoOp/single/1shot/seed2/toy-cold/run.json"
    (copy / lost).unlink()
    words = ["--executor", "inline", "--trust"]  # commands in another place are not those that were trusted
    assert (main(["schedule", "run", str(copy), *words]) if command == "schedule run" else run(file, copy)) == 0
    assert (copy / lost).exists()
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before
    assert str(out) not in (copy / "plan.json").read_text() or command == "schedule run"
    assert sorted(map(str, rows_of(copy))) == sorted(map(str, rows_of(out)))


def test_the_demo_prints_its_table_of_any_experiment(finished, capsys):
    file, out = finished
    assert run(file, out, verb="demo") == 0
    shown = capsys.readouterr().out
    for expected in ("zero-shot", "single-task", "all-together", "grouped", "g1: ", "toy"):
        assert expected in shown


def test_only_the_report(finished, capsys):
    file, out = finished
    (out / "results.jsonl").unlink()
    assert run(file, out, "--only-report") == 0
    assert len(rows_of(out)) == 3 + 2 * 3 * 3 + 2
    assert "MVLPT-CoOp" in capsys.readouterr().out


def test_another_experiment_is_kept_out_of_the_folder(finished, tmp_path, capsys):
    _, out = finished
    kept = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    for arms in (["single"], ["single", "grouped"]):
        assert run(write(tmp_path / "e.yaml", arms=arms, options={"OPTIM.MAX_EPOCH": 2}), out) == 2
        assert "holds another experiment" in capsys.readouterr().err
        assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == kept


def test_a_dry_run_shows_the_plan_and_writes_nothing(toy_tasks, tmp_path, capsys):
    file = write(tmp_path / "e.yaml")
    assert run(file, tmp_path / "out", "--dry-run", "--slots", 2) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "no schedule needs less than" in shown
    assert f"the plan would go to {tmp_path}/out/plan.json" in shown
    assert "stand in for them" in shown
    assert not (tmp_path / "out").exists()
    assert (
        run(file, tmp_path / "out", "--dry-run", "--plan-file", tmp_path / "p.json", "--picture", tmp_path / "p.png")
        == 0
    )
    assert len(load_plan(tmp_path / "p.json")) == 3 + 3 + 2 * (3 + 1 + 2) + 1  # features, zero-shot, arms, report
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    assert not (tmp_path / "out").exists()


def test_groups_are_kept_edited_by_hand_or_made_anew(toy_tasks, tmp_path, capsys):
    file, out = write(tmp_path / "e.yaml"), tmp_path / "out"
    groups = out / "graph" / "groups.yaml"
    assert run(file, out, "--only-groups") == 0
    assert len(yaml.safe_load(groups.read_text())["groups"]) == 2
    stamp = groups.stat().st_mtime_ns
    assert run(file, out, "--only-groups") == 0
    assert groups.stat().st_mtime_ns == stamp  # kept
    write(file, grouping={"groups": 3, "pictures": False})
    assert run(file, out, "--only-groups") == 0
    assert len(yaml.safe_load(groups.read_text())["groups"]) == 3  # made anew
    by_hand = {"format": "mvlpt-groups", "version": 1, "groups": {"mine": ["toy-all"], "rest": TASKS[:2]}}
    groups.write_text(yaml.safe_dump(by_hand))
    write(file, grouping={"groups": 1, "pictures": False})
    assert run(file, out, "--only-groups") == 0
    assert "edited by hand" in capsys.readouterr().out
    assert yaml.safe_load(groups.read_text()) == by_hand  # kept
    assert run(file, out, "--dry-run", "--plan-file", tmp_path / "p.json") == 0
    assert {job.labels.get("group") for job in load_plan(tmp_path / "p.json")} == {None, "", "mine", "rest"}
    by_hand["groups"].pop("mine")
    groups.write_text(yaml.safe_dump(by_hand))
    assert run(file, out) == 2
    assert "toy-all" in capsys.readouterr().err
    assert not (out / "plan.json").exists()


def photos(folder):
    """A task of two colours, as class folders."""
    for split in ("train", "test"):
        for name, colour in (("red", (250, 9, 9)), ("blue", (9, 9, 250))):
            place = folder / split / name
            place.mkdir(parents=True)
            for number in range(2):
                Image.new("RGB", (64, 64), colour).save(place / f"{number}.png")
    return f"{folder}/"


def test_groups_of_tasks_that_are_folders(toy_tasks, tmp_path):
    """The experiment names a folder, graph and results name the task in it; groups may say either."""
    folder, out = photos(tmp_path / "my photos"), tmp_path / "out"
    settings = {"tasks": [folder, "toy-warm"], "arms": ["grouped"], "seeds": [1], "zero_shot": None}
    file = write(tmp_path / "e.yaml", grouping={"groups": 1, "pictures": False}, **settings)
    assert run(file, out) == 0
    made = out / "graph" / "groups.yaml"
    assert yaml.safe_load(made.read_text())["groups"] == {"g1": ["my photos", "toy-warm"]}
    assert {row["task"] for row in rows_of(out)} == {"my photos", "toy-warm"}
    by_hand = {"g1": ["my photos", "toy-warm"], "g2": ["toy-warm"]}
    for photo in ("my photos", folder):  # overlapping: each task counts where it is served
        groups = {name: [photo if task == "my photos" else task for task in group] for name, group in by_hand.items()}
        content = {"format": "mvlpt-groups", "version": 1, "groups": groups, "serves": {photo: "g1", "toy-warm": "g2"}}
        made.write_text(json.dumps(content))
        assert run(file, out) == 0
        served = {(row["task"], row["group"]) for row in rows_of(out)}
        assert served == {("my photos", "g1"), ("toy-warm", "g2")}


def test_scores_of_groups_that_are_gone_do_not_count(toy_tasks, tmp_path):
    file, out = write(tmp_path / "e.yaml", arms=["grouped"], seeds=[1], zero_shot=None), tmp_path / "out"
    for groups in ([TASKS], [TASKS[:1], TASKS[1:]]):
        content = {"format": "mvlpt-groups", "version": 1, "groups": dict(zip(("g1", "g2"), groups, strict=False))}
        (out / "graph").mkdir(parents=True, exist_ok=True)
        (out / "graph" / "groups.yaml").write_text(yaml.safe_dump(content))
        assert run(file, out) == 0
    assert sorted(row["task"] for row in rows_of(out)) == sorted(TASKS)
    assert {row["group"] for row in rows_of(out)} == {"g1", "g2"}


def test_a_job_that_fails_leaves_the_others_and_status_1(toy_tasks, tmp_path, capsys):
    options = {"OPTIM.MAX_EPOCH": 1, "TEST.FINAL_MODEL": "best_val"}  # which toy-noval cannot have
    file = write(tmp_path / "e.yaml", tasks=["toy-warm", "toy-noval"], arms=["single"], seeds=[1], options=options)
    assert run(file, tmp_path / "out") == 1
    shown = capsys.readouterr()
    assert "no validation split" in shown.out + shown.err
    tuned = [(row["arm"], row["task"]) for row in rows_of(tmp_path / "out")]
    assert sorted(tuned) == [("single", "toy-warm"), ("zero_shot", "toy-noval"), ("zero_shot", "toy-warm")]


WRONG = {
    "no file": (["--config-file", "absent.yaml"], {}, "No config file at absent.yaml"),
    "task": ([], {"tasks": ["toy-wram", "toy-cold"]}, "did you mean 'toy-warm'"),
    "executor": ([], {"executor": {"name": "locl"}}, "locl"),
    "executor's option": (["--executor", "local", "--executor-option", "slot=2"], {}, "no option 'slot'"),
    "slots": (["--executor", "local", "--slots", "0"], {}, "--slots is 0"),
    "retries": (["--retries", "-1"], {}, "--retries is -1"),
    "report of nothing": (["--only-report"], {}, "No plan at"),
    "groups file": ([], {"grouping": {"file": "absent-groups.yaml"}}, "absent-groups.yaml"),
    "method": ([], {"grouping": {"method": "magic"}}, "magic"),
    "similarity": ([], {"grouping": {"similarity": "sound=1"}}, "sound"),
    "groups": ([], {"grouping": {"groups": 99}}, "groups is 99, but there are 3 tasks"),
    "classes": ([], {"grouping": {"max_classes": 1}}, "classes, but max_classes is 1"),
    "link": ([], {"grouping": {"must_link": [5]}}, "grouping.must_link takes two tasks"),
    "links": ([], {"grouping": {"must_link": 5}}, "grouping.must_link is 5; give a list"),
    "weights": ([], {"grouping": {"similarity": 3}}, "grouping.similarity is 3; give weights"),
    "steps": ([], {"grouping": {"affinity": "grad", "steps": "x"}}, "grouping.steps is 'x'; give a whole number"),
    "threshold": ([], {"grouping": {"threshold": True}}, "grouping.threshold is True; give a number"),
    "affinity": ([], {"grouping": {"affinity": "gard"}}, "did you mean 'grad'"),
    "trainer of groups": ([], {"grouping": {"affinity": "grad", "trainer": "nix"}}, "no trainer 'nix'"),
    "pair runs": ([], {"grouping": {"affinity": "measured", "results": "absent.jsonl"}}, "absent.jsonl"),
    "option": ([], {"options": {"OPTIM.LRR": 1}}, "planned: In the experiment's options: unknown key OPTIM.LRR"),
    "option of SLURM": (["--executor", "slurm", "--executor-option", "minutes=x"], {}, "minutes=x is not a whole"),
    "jobs of SLURM": (["--executor", "slurm", "--executor-option", "jobs=x"], {}, "jobs=x is not a whole number"),
    "picture": (["--dry-run", "--picture", "plan.gif"], {}, "plan.gif"),
    "plan file": (["--plan-file", "plan.json"], {}, "--plan-file goes with --dry-run"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_mistakes_are_one_sentence_with_status_2(toy_tasks, tmp_path, capsys, kind):
    flags, changes, expected = WRONG[kind]
    assert run(write(tmp_path / "e.yaml", **changes), tmp_path / "out", *flags) == 2
    shown = capsys.readouterr().err.strip().splitlines()[-1]
    assert shown.startswith("error: ")
    assert expected in shown
    assert shown.count(expected) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", sorted(set(WRONG) - {"report of nothing", "plan file", "picture"}))
def test_a_dry_run_finds_the_same_mistakes(toy_tasks, tmp_path, capsys, kind):
    flags, changes, expected = WRONG[kind]
    assert run(write(tmp_path / "e.yaml", **changes), tmp_path / "out", *flags, "--dry-run") == 2
    shown = capsys.readouterr()
    assert expected in shown.err
    assert not shown.out


@pytest.mark.slow
def test_ctrl_c_saves_what_runs_and_the_same_command_goes_on(tmp_path):
    """Two worker processes, stopped in mid-run; nothing stays behind, and runs take up where they were."""
    file = write(
        tmp_path / "e.yaml",
        tasks=["weather-plain", "tools-plain"],
        trainers=[trainer("MVLPT-CoOp")],
        arms=["single"],
        seeds=[1],
        zero_shot=None,
        options={"OPTIM.MAX_EPOCH": 3000},
        executor={"name": "local", "slots": 2},
    )
    line = [sys.executable, "-m", "mvlpt.cli", "experiment", "--config-file", str(file)]
    line += ["--output-dir", str(tmp_path / "out"), "--no-calibrate"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    program = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
    deadline = time.monotonic() + PATIENCE
    while len(list((tmp_path / "out").rglob("single/**/log.txt"))) < 2:
        assert time.monotonic() < deadline, "no run began"
        assert program.poll() is None, program.stdout.read()
        time.sleep(0.2)
    program.send_signal(signal.SIGINT)
    said, _ = program.communicate(timeout=PATIENCE)
    assert program.returncode == 130, said
    assert "again to go on" in said
    states = [json.loads(path.read_text())["state"] for path in (tmp_path / "out").rglob("run.json")]
    assert states == ["interrupted", "interrupted"]
    again = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
    while not any("Going on in epoch" in path.read_text() for path in (tmp_path / "out").rglob("single/**/log.txt")):
        assert time.monotonic() < deadline, "no run went on"
        assert again.poll() is None, again.stdout.read()
        time.sleep(0.2)
    again.send_signal(signal.SIGINT)
    said, _ = again.communicate(timeout=PATIENCE)
    assert again.returncode == 130, said
