"""A prompt method from a plugin file trains, resumes, groups, is planned, saved and loaded like the shipped ones."""

from pathlib import Path

import pytest
import torch
import yaml
from support.contract import Subject, check_exports, check_groups, check_planned, check_predicts, settings
from support.registries import restored_registries
from support.stopping import ctrl_c_after

from mvlpt.cli import main
from mvlpt.dassl import load_plugin
from mvlpt.engine import run_config
from mvlpt.graph import TaskGraph
from mvlpt.models import load_backbone, load_prompt, load_prompt_state
from mvlpt.schedule import load_plan

PLUGIN = str(Path(__file__).resolve().parents[1] / "support" / "plugins" / "coupled.py")
CONFIG = "configs/trainers/MVLPT-VPT/embedded.yaml"
TRAINER = ["--plugin", PLUGIN, "--trainer", "MVLPT-Coupled", "--config-file", CONFIG, "--shots", "2", "--seed", "1"]
KEYS = ["TRAINER.COUPLED.LENGTH", "3", "OPTIM.MAX_EPOCH", "2", "RUN.TENSORBOARD", "False", "RUN.THREADS", "1"]
KEYS += ["DATALOADER.TRAIN_X.BATCH_SIZE", "4"]


@pytest.fixture(autouse=True)
def only_shipped_methods_afterwards():
    with restored_registries():
        yield


def train(folder, *more):
    line = ["train", *TRAINER, "--dataset", "toy-warm,toy-cold", "--output-dir", str(folder), "--quiet"]
    return main([*line, *more, *KEYS])


def test_it_trains_and_resumes_to_the_same_prompt(toy_tasks, tmp_path):
    assert train(tmp_path / "whole") == 0
    with ctrl_c_after(3):
        assert train(tmp_path / "stopped", "--resume") == 130
    assert train(tmp_path / "stopped", "--resume") == 0
    one, other = ((tmp_path / name / "prompt.safetensors").read_bytes() for name in ("whole", "stopped"))
    assert one == other


def test_it_passes_what_every_shipped_trainer_must(toy_tasks, tmp_path, capsys):
    config = tmp_path / "coupled.yaml"
    config.write_text(yaml.safe_dump({"_BASE_": str(Path(CONFIG).resolve()), "TRAINER": {"NAME": "MVLPT-Coupled"}}))
    load_plugin(PLUGIN)
    subject = Subject("MVLPT-Coupled", config, plugins=(PLUGIN,))
    run_config(settings(subject, tmp_path / "run"))
    (tmp_path / "made").mkdir()
    check_predicts(subject, tmp_path / "run", tmp_path / "made")
    check_exports(subject, tmp_path / "run", tmp_path / "made")
    check_groups(subject, tmp_path / "graph", capsys)
    check_planned(subject, tmp_path / "plan")


def test_its_prompt_file_gives_a_model_that_carries_it(toy_tasks, tmp_path):
    assert train(tmp_path / "run") == 0
    read = load_prompt(tmp_path / "run" / "prompt.safetensors")
    assert (read.method, read.options["length"], read.options["depth"]) == ("coupled", 3, 2)
    backbone = load_backbone("embedded")
    prompted = read.build(backbone)
    assert all(torch.equal(prompted.prompt_learner.state_dict()[name], value) for name, value in read.tensors.items())
    images = torch.randn(2, 3, *backbone.image_size)
    assert prompted(images).shape == (2, len(read.class_names))
    older = {f"prompt_learner.{name.replace('ctx', 'contexts')}": value for name, value in read.tensors.items()}
    load_prompt_state(prompted.prompt_learner, {**older, "token_prefix": torch.zeros(1)})


def test_tasks_are_grouped_by_its_affinity(toy_tasks, tmp_path):
    line = ["group", *TRAINER, "--tasks", "toy-warm,toy-cold,toy-all", "--out", str(tmp_path / "graph")]
    assert main([*line, "--no-pictures", "--quiet", "--affinity", "grad", "--steps", "1"]) == 0
    graph = TaskGraph.load(tmp_path / "graph" / "task_graph.json")
    assert "grad.MVLPT-Coupled" in graph.affinities


def test_its_runs_are_planned_with_costs(toy_tasks, tmp_path):
    (tmp_path / "coupled.yaml").write_text(
        yaml.safe_dump({"_BASE_": str(Path(CONFIG).resolve()), "TRAINER": {"NAME": "MVLPT-Coupled"}})
    )
    seconds = []
    for length in (2, 12):
        experiment = {
            "trainers": [str(tmp_path / "coupled.yaml")],
            "tasks": ["toy-warm", "toy-cold"],
            "arms": ["single"],
            "shots": [2],
            "seeds": [1],
            "plugins": [PLUGIN],
            "options": {"TRAINER.COUPLED.LENGTH": length},
        }
        (tmp_path / f"{length}.yaml").write_text(yaml.safe_dump(experiment))
        plan = tmp_path / f"plan{length}.json"
        line = [
            "--config-file",
            str(tmp_path / f"{length}.yaml"),
            "--output-dir",
            str(tmp_path / "out"),
            "--no-calibrate",
        ]
        assert main(["experiment", *line, "--dry-run", "--plan-file", str(plan)]) == 0
        jobs = [job for job in load_plan(plan) if job.kind == "train"]
        assert len(jobs) == 2
        seconds.append(sum(job.seconds for job in jobs))
    assert seconds[0] < seconds[1]
