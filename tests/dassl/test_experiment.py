"""A trainer written for Dassl in an experiment is planned, grouped, scheduled and reported; plugins of packages."""

import json

import pytest
from support.dassl_repositories import trainer_source, write_repository

from mvlpt.cli import main
from mvlpt.dassl import load_installed_plugins
from mvlpt.engine import TRAINER_REGISTRY
from mvlpt.io import write_json

TASKS = ["weather-plain", "weather-dark", "tools-plain"]
OPTIONS = {
    "MODEL": {"BACKBONE": {"NAME": "embedded"}},
    "INPUT": {"SIZE": [48, 48]},
    "OPTIM": {"MAX_EPOCH": 1},
    "DATALOADER": {"NUM_WORKERS": 0},
}


def write_experiment(folder, trainer, plugins, config, **options):
    write_json({"TRAINER": {"NAME": trainer}, **OPTIONS, **options}, folder / config)
    content = {"tasks": TASKS, "trainers": [config], "arms": ["single", "all", "grouped"], "shots": [1], "seeds": [1]}
    content |= {"grouping": {"groups": 2}, "executor": {"name": "local", "slots": 1}, "plugins": plugins}
    write_json(content, folder / "experiment.yaml")


def test_an_experiment_of_a_trainer_of_a_plugin(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "colour.py").write_text(trainer_source("Colour"))
    write_experiment(tmp_path, "Colour", ["colour.py"], "colour.yaml")
    assert main(["experiment", "--config-file", "experiment.yaml", "--output-dir", "run"]) == 0
    rows = [json.loads(line) for line in (tmp_path / "run" / "results.jsonl").read_text().splitlines()]
    assert {(row["arm"], row["task"]) for row in rows} >= {(arm, task) for arm in ("single", "all") for task in TASKS}
    assert any(row["arm"] == "grouped" for row in rows)
    assert {row["trainer"] for row in rows} == {"Colour"}
    assert "Colour" in (tmp_path / "run" / "results.md").read_text()


def test_groups_are_found_with_a_plugin_of_tasks_and_trainers(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "colour.py").write_text(trainer_source("Colour"))
    write_experiment(tmp_path, "Colour", ["colour.py"], "colour.yaml")
    line = ["group", "--config-file", "experiment.yaml", "--plugin", "colour.py", "--out", "graph", "--no-pictures"]
    assert main([*line, "--quiet"]) == 0
    assert (tmp_path / "graph" / "groups.yaml").is_file()


def test_an_experiment_knows_a_repositorys_files_and_options_and_keeps_its_defaults_for_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root = write_repository(tmp_path / "repo", "Mine")
    (root / "configs" / "trainers" / "Mine" / "own.yaml").write_text(
        json.dumps({"TRAINER": {"NAME": "Mine", "MINE": {"SIZE": 4}}, **OPTIONS})
    )
    write_experiment(tmp_path, "MVLPT-CoOp", ["repo"], "ours.yaml")
    content = json.loads((tmp_path / "experiment.yaml").read_text())
    content |= {"trainers": ["configs/trainers/Mine/own.yaml", "ours.yaml"], "arms": ["single"]}
    write_json(content, tmp_path / "experiment.yaml")
    line = ["experiment", "--config-file", "experiment.yaml", "--output-dir", "run", "--dry-run", "--no-calibrate"]
    assert main([*line, "--plan-file", "plan.json"]) == 0
    jobs = json.loads((tmp_path / "plan.json").read_text())["jobs"]
    trained = [job for job in jobs if "train" in job["command"]]
    assert len(trained) == 6
    assert any(str(root / "configs" / "trainers" / "Mine" / "own.yaml") in job["command"] for job in trained)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An installed package that declares a plugin written for Dassl."""
    site = tmp_path / "site"
    (site / "packaged-1.0.dist-info").mkdir(parents=True)
    (site / "packaged-1.0.dist-info" / "METADATA").write_text("Name: packaged\nVersion: 1.0\n")
    entry = "[mvlpt.plugins]\npackaged = packaged_trainer\n"
    (site / "packaged-1.0.dist-info" / "entry_points.txt").write_text(entry)
    (site / "packaged_trainer.py").write_text(trainer_source("Packaged"))
    monkeypatch.syspath_prepend(str(site))


def test_a_package_that_is_written_for_dassl_registers_its_trainer(package, capsys):
    load_installed_plugins()
    assert TRAINER_REGISTRY.get("Packaged").__module__ == "packaged_trainer"
    assert main(["train", "--list"]) == 0
    assert "Packaged" in capsys.readouterr().out
