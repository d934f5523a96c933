"""Experiments on a user's own folders: where paths start, what run folders are called, and folders of one name."""

import dataclasses

import pytest
import yaml
from support.experiments import option
from support.photos import FILE, write_photos

from mvlpt.errors import ConfigError
from mvlpt.experiment import Experiment, load_experiment
from mvlpt.experiment.plan import build_plan, keep_plan
from mvlpt.experiment.plan.earlier import EarlierJobs
from mvlpt.io import path_part
from mvlpt.schedule import Plan


@pytest.fixture
def here(tmp_path, monkeypatch):
    """``study/e.yaml`` beside ``study/birds``, and another ``cats`` in the current folder."""
    monkeypatch.chdir(tmp_path)
    for folder in ("study/birds", "study/my trees", "cats"):
        write_photos(tmp_path / folder)
    return tmp_path


def write(file, **content):
    file.write_text(yaml.safe_dump({"trainers": [FILE], "seeds": 1, "shots": 2, "arms": "single", **content}))
    return file


def test_paths_start_at_the_file_and_then_at_the_current_folder(here):
    (here / "study" / "mine.py").write_text("")
    (here / "study" / "mine.yaml").write_text("TRAINER: {NAME: CoOp}\n")
    (here / "study" / "data").mkdir()
    (here / "study" / "w.pt").write_bytes(b"")
    file = write(
        here / "study" / "e.yaml",
        tasks=["birds/", "cats/", "weather-plain", str(here / "cats")],
        trainers=["mine.yaml", FILE],
        plugins="./mine.py",
        root="data",
        grouping={"file": "./g.yaml"},
        backbone={"name": "ViT-B-16", "pretrained": "w.pt"},
    )
    experiment = load_experiment(file)
    assert experiment.tasks == (f"{here}/study/birds/", "cats/", "weather-plain", str(here / "cats"))
    assert experiment.trainers == (f"{here}/study/mine.yaml", FILE)
    assert experiment.plugins == (f"{here}/study/mine.py",)
    assert experiment.root == f"{here}/study/data"
    assert experiment.backbone["pretrained"] == f"{here}/study/w.pt"
    assert experiment.grouping["file"] == "./g.yaml"  # is in neither folder; its reader says so


def test_paths_beside_a_file_in_the_current_folder_stay_as_they_are(here, monkeypatch):
    monkeypatch.chdir(here / "study")
    assert load_experiment(write(here / "study" / "e.yaml", tasks=["birds/", "./birds"])).tasks == ("birds/", "./birds")


def test_one_value_serves_for_a_list(here):
    experiment = load_experiment(write(here / "e.yaml", tasks="cats/, weather-plain", trainers=FILE))
    assert (experiment.tasks, experiment.shots, experiment.seeds) == (("cats/", "weather-plain"), (2,), (1,))
    assert Experiment(tasks="cats/", trainers=FILE, shots=4, seeds=0, arms="single").shots == (4,)


def test_folders_bear_the_names_of_tasks(here):
    (here / "long.yaml").write_text("name: Trees\nimages: study/my trees\n")
    tasks = ("study/birds/", "long.yaml", "study/my trees/")
    plan = build_plan(Experiment(tasks=tasks, trainers=(FILE,), seeds=(1,), arms=("single", "pair")), here / "out")
    names = {job.name for job in plan if job.kind == "train"}
    spaced = path_part("my trees")
    assert spaced.startswith("my_trees-")
    parent = "MVLPT-CoOp/single/1shot/seed1"
    assert {f"{parent}/birds", f"{parent}/Trees", f"{parent}/{spaced}"} <= names
    assert "MVLPT-CoOp/pair/1shot/seed1/birds+Trees" in names
    assert not any("study" in name for name in names)


def test_commands_name_full_paths_since_jobs_run_in_another_folder(here):
    (here / "mine.yaml").write_text("name: mine\nimages: cats\n")
    (here / "weights.pt").write_bytes(b"")
    (here / "openai").mkdir()
    (here / "ViT-B-16").write_bytes(b"")
    (here / "vpt.yaml").write_text(
        "TRAINER: {NAME: MVLPT-VPT}\nMODEL: {BACKBONE: {NAME: ViT-B-16, PRETRAINED: weights.pt}}\n"
    )
    experiment = Experiment(tasks=("mine.yaml",), trainers=("vpt.yaml",), seeds=(1,), arms=("single",))
    (job,) = build_plan(experiment, here / "out")
    assert option(job, "--dataset") == f"{here}/mine.yaml"
    assert option(job, "MODEL.BACKBONE.PRETRAINED") == f"{here}/weights.pt"
    tagged = dataclasses.replace(experiment, backbone={"name": "ViT-B-16", "pretrained": "openai"})
    (job,) = build_plan(tagged, here / "out")
    assert option(job, "MODEL.BACKBONE.PRETRAINED") == "openai", "which is a tag, whatever lies here"
    assert option(job, "MODEL.BACKBONE.NAME") == "ViT-B-16", "which is no file, whatever lies here"


@pytest.mark.parametrize("arm", ["single", "pair", "transfer", "adapted"])
def test_folders_of_an_earlier_version_are_found(here, arm, monkeypatch):
    """Version 0.1.0 named folders, groups and jobs by the paths of tasks, as they were written."""
    tasks = ("study/birds/", "cats/")
    more = {"sources": tasks, "source_prompts": "alone"} if arm == "transfer" else {}
    experiment = Experiment(tasks=tasks, trainers=(FILE,), seeds=(1, 2), arms=(arm,), **more)
    with monkeypatch.context() as before:
        for module in ("shared", "adapted", "transfer"):
            before.setattr(f"mvlpt.experiment.arms.{module}.folder_name", path_part)
        before.setattr("mvlpt.experiment.plan.features.folder_name", path_part)
        before.setattr("mvlpt.experiment.plan.earlier.with_full_paths", lambda identity: identity)
        former = build_plan(experiment, here / "out")
    keep_plan(former, here / "out")
    assert any("study_birds-" in job.name for job in former)
    for job in former:
        (here / "out" / job.name).mkdir(parents=True)
    again = build_plan(experiment, here / "out")
    assert [(job.id, job.name, job.command, job.labels) for job in again] == [
        (job.id, job.name, job.command, job.labels) for job in former
    ]


def test_the_current_folder_changes_no_job(here, monkeypatch):
    file = write(here / "study" / "e.yaml", tasks=["birds/", "./my trees/"], arms=["single", "pair"])
    there = build_plan(load_experiment(file), here / "out")
    monkeypatch.chdir(here / "study")
    plan = build_plan(load_experiment("e.yaml"), here / "out")
    assert [(job.id, job.name) for job in plan if job.kind == "train"] == [
        (job.id, job.name) for job in there if job.kind == "train"
    ]


def test_an_earlier_plan_that_left_no_folder_decides_nothing(here):
    experiment = Experiment(tasks=("study/birds/", "cats/"), trainers=(FILE,), seeds=(1,), arms=("single",))
    plan = build_plan(experiment, here / "out")
    renamed = Plan([dataclasses.replace(job, name=f"old/{job.name}") for job in plan])
    keep_plan(renamed, here / "out")
    job = next(job for job in plan if job.kind == "train")
    assert EarlierJobs(here / "out").name(job.id, job.name) == job.name


@pytest.mark.parametrize("arm", ["single", "all"])
def test_two_folders_of_one_name_are_refused_with_the_remedy(here, arm):
    write_photos(here / "other" / "birds")
    experiment = Experiment(tasks=("study/birds/", "other/birds/"), trainers=(FILE,), seeds=(1,), arms=(arm,))
    with pytest.raises(ConfigError) as caught:
        build_plan(experiment, here / "out")
    said = str(caught.value)
    assert "Two tasks are named 'birds' (study/birds/ and other/birds/)" in said
    assert "birds-2.yaml with the lines 'name: birds-2' and 'images: other/birds'" in said
    (here / "birds-2.yaml").write_text("name: birds-2\nimages: other/birds\n")
    assert build_plan(dataclasses.replace(experiment, tasks=("study/birds/", "birds-2.yaml")), here / "out")
