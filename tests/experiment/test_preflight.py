"""What an experiment lacks is found before anything runs, all of it at once, with the commands that get it."""

import pytest
import yaml
from support.photos import FILE

from mvlpt.cli import main
from mvlpt.experiment import Experiment, preview_experiment
from mvlpt.experiment.preflight import missing_inputs

VIT = "configs/trainers/MVLPT-CoOp/vit_b16.yaml"


@pytest.fixture
def offline(tmp_path, monkeypatch):
    """A home without weights, and no network."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder, **content):
    (folder / "e.yaml").write_text(yaml.safe_dump({"seeds": 1, "arms": "single", "root": "DATA", **content}))
    return ["experiment", "--config-file", "e.yaml", "--output-dir", "out"]


def test_all_that_is_missing_is_listed_and_nothing_runs(offline, capsys):
    tasks = ["dtd", "mnist", "EuroSAT", "weather-plain"]
    assert main(write(offline, tasks=tasks, trainers=[VIT])) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: 4 things are missing, and nothing was run:")
    assert f"mvlpt tasks download dtd --root {offline}/DATA" in said
    assert f"mvlpt tasks download mnist --root {offline}/DATA" in said
    assert "the data of 'EuroSAT'" in said
    assert "curl -L --create-dirs -o" in said
    assert "weather-plain" not in said
    assert not (offline / "out" / "journal.jsonl").exists()


def test_a_dry_run_lists_it_below_the_plan(offline, capsys):
    assert main([*write(offline, tasks=["dtd", "weather-plain"], trainers=[VIT]), "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "2 missing on this machine; get them before the experiment runs:" in said
    assert "mvlpt tasks download dtd --root" in said


def test_groups_are_not_begun_either(offline, capsys):
    words = write(offline, tasks=["dtd", "weather-plain"], trainers=[FILE], arms="grouped")
    assert main([*words, "--only-groups"]) == 2
    assert "One thing is missing, and nothing was run:\n  the data of 'dtd'" in capsys.readouterr().err


def test_files_that_a_found_task_lacks(offline):
    folder = offline / "DATA" / "classification" / "mnist_20211008"
    folder.mkdir(parents=True)
    (folder / "train.txt").write_text("")
    (line,) = missing_inputs(Experiment(tasks=("mnist",), trainers=(FILE,), root="DATA", arms=("single",)))
    assert f"the data of 'mnist' ({folder} lacks " in line


def test_a_long_list_is_shown_to_its_end(offline, capsys):
    from mvlpt.data.sources import known_tasks

    tasks = [task.name for task in known_tasks("elevater")]
    assert main(write(offline, tasks=tasks, trainers=[FILE])) == 2
    said = capsys.readouterr().err
    assert all(f"the data of '{task}'" in said for task in tasks)


@pytest.mark.parametrize("weights", ["file.pt", "no_such_tag"])
def test_weights_that_are_named_and_not_there(offline, weights):
    backbone = {"name": "ViT-B-16", "pretrained": weights}
    (line,) = missing_inputs(Experiment(tasks=("tools-dark",), trainers=(VIT,), arms=("single",), backbone=backbone))
    assert f"no weights under the tag '{weights}'" in line


def test_weights_of_a_trainer_to_compare_with(offline):
    fields = {"tasks": ("tools-dark",), "trainers": (FILE,), "arms": ("single",)}
    (line,) = missing_inputs(Experiment(baselines=(VIT,), **fields))
    assert "curl -L --create-dirs -o" in line


def test_nothing_is_missing_for_what_ships(offline):
    experiment = Experiment(tasks=("tools-dark",), trainers=(FILE,), arms=("single",))
    assert missing_inputs(experiment) == []
    assert preview_experiment(experiment, "out").missing == ()


def test_random_weights_and_files_need_no_network(offline):
    (offline / "weights.pt").write_bytes(b"")
    for weights in (False, "weights.pt"):
        options = {"MODEL.BACKBONE.PRETRAINED": weights}
        assert (
            missing_inputs(Experiment(tasks=("tools-dark",), trainers=(VIT,), arms=("single",), options=options)) == []
        )


@pytest.mark.parametrize("name", ["resnet18", "random"])
def test_networks_of_trainers_of_plugins_are_their_own_affair(offline, name):
    fields = {"tasks": ("tools-dark",), "trainers": (VIT,), "arms": ("single",)}
    assert missing_inputs(Experiment(backbone={"name": name}, **fields)) == []
