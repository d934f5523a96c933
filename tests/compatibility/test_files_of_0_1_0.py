"""Run folders, plans, graphs and prompts that version 0.1.0 wrote open, go on and give the same results.

``v0.1.0.tar.gz`` holds what 0.1.0 left below ``/srv/mvlpt-0.1.0``: ``experiment``, killed after 11 of its 24 jobs, and
the scores and prompts of the same experiment ``finished``; for five trainers a run ``killed`` after two of six epochs
and the ``unbroken`` one. The archive is never written again.
"""

import json
import tarfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import mvlpt
from mvlpt.api import resolve_config
from mvlpt.cli import main
from mvlpt.config import read_yaml
from mvlpt.data import build_dataset
from mvlpt.errors import CheckpointError
from mvlpt.schedule import load_plan

ARCHIVE = Path(__file__).parent / "v0.1.0.tar.gz"
TEXT = {".json", ".jsonl", ".yaml", ".txt", ".log", ".md"}
TRAINERS = ("MVLPT-CoOp", "MVLPT-VPT", "MVLPT-UPT", "CoCoOp", "LinearProbe")


@pytest.fixture
def old(tmp_path, monkeypatch):
    """A copy of the old folder, moved to where the test may write."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    for path in tmp_path.rglob("*"):
        if path.suffix in TEXT:
            path.write_text(path.read_text().replace("/srv/mvlpt-0.1.0", str(tmp_path)))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def scores(path):
    keys = ("trainer", "arm", "group", "task", "split", "metric", "shots", "seed", "epoch", "n")
    return {tuple(row[key] for key in keys): row["value"] for row in rows(path)}


def trained(folder):
    """The trained tensors of a run, from its last checkpoint."""
    (path,) = folder.glob("*/model.pth.tar-6")
    return torch.load(path, weights_only=True)["state_dict"]


@pytest.mark.slow
def test_an_experiment_goes_on_with_the_jobs_that_are_left(old):
    finished = [row["job"] for row in rows(old / "experiment/journal.jsonl") if row.get("state") == "finished"]
    assert len(finished) == 11
    words = ["--config-file", "mini.yaml", "--output-dir", "experiment", "--slots", "1", "--no-calibrate"]
    assert main(["experiment", *words]) == 0
    assert scores(old / "experiment/results.jsonl") == scores(old / "finished/results.jsonl")
    started = [row["job"] for row in rows(old / "experiment/journal.jsonl") if row["event"] == "started"]
    assert {job for job in started if started.count(job) > 1} <= set(started) - set(finished)
    prompts = sorted((old / "finished").rglob("prompt.safetensors"))
    assert len(prompts) == 16
    for path in prompts:
        again = load_file(old / "experiment" / path.relative_to(old / "finished"))
        for name, tensor in load_file(path).items():
            assert torch.equal(again[name], tensor), f"{name} of {path}"


@pytest.mark.parametrize("trainer", TRAINERS)
def test_a_killed_run_is_resumed_to_the_unbroken_prompt(old, trainer):
    folder = old / "runs" / trainer / "killed"
    command = json.loads((folder / "run.json").read_text())["command"]
    words = command[1:]
    options = next(place for place, word in enumerate(words) if word.isupper() and "." in word)
    assert main([*words[:options], "--resume", *words[options:]]) == 0
    unbroken = trained(folder.parent / "unbroken")
    resumed = trained(folder)
    assert list(resumed) == list(unbroken)
    assert all(torch.equal(resumed[name], unbroken[name]) for name in unbroken)
    assert scores(folder / "results.jsonl") == scores(folder.parent / "unbroken/results.jsonl")


@pytest.mark.parametrize("trainer", TRAINERS)
def test_a_finished_run_is_evaluated_to_its_own_scores(old, trainer):
    folder = old / "runs" / trainer / "unbroken"
    words = ["--config-file", str(folder / "config.yaml"), "--model-dir", str(folder), "--eval-only", "--quiet"]
    assert main(["train", *words, "--output-dir", "evaluated"]) == 0
    wanted = {row["task"]: row["value"] for row in rows(folder / "results.jsonl") if row["split"] == "test"}
    assert {row["task"]: row["value"] for row in rows(old / "evaluated/results.jsonl")} == wanted


def test_a_task_graph_is_grouped_again_without_data(old):
    words = ["--graph", "experiment/graph/task_graph.json", "--groups", "2", "--no-pictures", "--out", "again"]
    assert main(["group", *words]) == 0
    assert read_yaml("again/groups.yaml")["groups"] == read_yaml("experiment/graph/groups.yaml")["groups"]


def test_results_are_tabulated(old, capsys):
    assert main(["results", "finished", "--format", "markdown"]) == 0
    assert "MVLPT-CoOp" in capsys.readouterr().out


def test_the_status_of_an_old_plan_is_shown(old, capsys):
    assert main(["schedule", "status", "experiment"]) in (0, 1)
    assert "11 of 24 finished" in " ".join(capsys.readouterr().out.split())


def test_the_commands_of_an_old_plan_follow_its_folder(tmp_path):
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    path = tmp_path / "experiment" / "plan.json"
    assert "/srv/mvlpt-0.1.0/experiment" in path.read_text()
    plan = load_plan(path)
    words = [word for job in plan for word in job.command]
    assert not [word for word in words if word.startswith("/srv/mvlpt-0.1.0/experiment")]
    named = [job.command[job.command.index("--output-dir") + 1] for job in plan if job.kind != "report"]
    assert named == [str(tmp_path / "experiment" / job.name) for job in plan if job.kind != "report"]


@pytest.mark.parametrize("trainer", TRAINERS)
def test_an_old_run_classifies_as_it_did(old, trainer):
    """Its records lack the classes; those of the data, which ship with the package, take their place."""
    folder = old / "runs" / trainer / "unbroken"
    classifier = mvlpt.load(folder, "weather-dark")
    cfg = resolve_config(options={"DATASET.DATASET": "weather-dark", "SEED": 1})
    items = build_dataset(cfg).test
    score = 100 * classifier.score([item.impath for item in items], [item.label for item in items])
    (row,) = [row for row in rows(folder / "results.jsonl") if row["task"] == "weather-dark"]
    assert round(score, 6) == row["value"]
    with pytest.raises(CheckpointError, match="has no weights yet; go on with it: mvlpt train --resume"):
        mvlpt.load(old / "runs" / trainer / "killed", "weather-dark")
