"""`mvlpt.train` and what it returns: folders, going on, errors, records."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch

import mvlpt
from mvlpt.cli import main
from mvlpt.engine import read_results
from mvlpt.errors import ConfigError, DataError, MissingExtraError, MvlptError
from mvlpt.experiment import Experiment
from mvlpt.models import load_prompt

FAST = {"OPTIM.MAX_EPOCH": 2, "RUN.TENSORBOARD": False}
CONFIG = "configs/trainers/MVLPT-VPT/embedded.yaml"


@pytest.fixture(autouse=True)
def here(toy_tasks, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def train(task="toy-cold", **more):
    options = {**FAST, **more.pop("options", {})}
    return mvlpt.train(task, **{"backbone": "embedded", "shots": 1, "verbose": False, "options": options, **more})


def test_the_same_call_returns_the_finished_run_and_the_command_knows_it():
    run = train()
    assert (run.was_finished, run.folder.parent) == (False, Path("output"))
    assert run.folder.name.startswith("MVLPT-VPT-toy-cold-1shots-seed1-")
    again = train()
    assert again.was_finished
    assert again.results == run.results == read_results(run.folder / "results.jsonl")
    line = ["train", "--config-file", CONFIG, "--dataset", "toy-cold", "--shots", "1", "--seed", "1", "--quiet"]
    assert main([*line, "--output-dir", str(run.folder), "OPTIM.MAX_EPOCH", "2"]) == 0


def test_another_option_is_another_folder():
    folders = {train().folder, train(seed=2).folder, train(options={"OPTIM.LR": 0.1}).folder, train(shots=2).folder}
    assert len(folders) == 4
    Path("own.yaml").write_text("OUTPUT_DIR: ./output\n")  # Dassl's default names no folder
    assert train(config="own.yaml").folder.parent == Path("output")
    assert train(output_dir="chosen").folder == train(options={"OUTPUT_DIR": "chosen"}).folder == Path("chosen")
    with pytest.raises(MvlptError, match=r"chosen holds another run, which differs in OPTIM\.LR"):
        train(output_dir="chosen", options={"OPTIM.LR": 0.1})


def test_several_tasks_and_a_start():
    shared = train(None, tasks=["toy-warm", "toy-cold"])
    assert shared.tasks == ["toy-warm", "toy-cold"]
    assert [record["arm"] for record in shared.results] == ["all", "all"]
    with pytest.raises(MvlptError, match="choose one with --task"):
        shared.predict("photo.png")
    assert shared.classifier_of("toy-cold").class_names == ("blue", "green")
    started = train(start=shared.folder / "prompt.safetensors", options={"OPTIM.LR": 1e-12})
    first, second = (load_prompt(run.folder / "prompt.safetensors").tensors for run in (shared, started))
    assert all((first[name] - second[name]).abs().max() < 1e-6 for name in first)


def test_errors_are_exceptions():
    for call, error, message in (
        (lambda: train("toy-clod"), KeyError, "did you mean 'toy-cold'"),
        (lambda: train(trainer="MVLPT-VPN"), KeyError, "did you mean 'MVLPT-VPT'"),
        (lambda: train(options={"OPTIM.LRR": 1}), ConfigError, "unknown key OPTIM.LRR; did you mean"),
        (lambda: train(seed=1.5), ConfigError, "In the call: SEED takes a whole number, not 1.5"),
        (lambda: mvlpt.train(), ConfigError, "Give either task, or tasks"),
        (lambda: mvlpt.train(tasks="toy-cold"), ConfigError, "tasks is the single name 'toy-cold'; give a list"),
        (lambda: mvlpt.group("toy-cold"), ConfigError, "tasks is the single name 'toy-cold'; give a list"),
        (lambda: mvlpt.train(["toy-cold"]), ConfigError, r"not \['toy-cold'\]; several tasks .* are tasks=\[...\]"),
        (lambda: mvlpt.group(["toy-cold", 3]), ConfigError, "A task is a name or a path, not 3$"),
        (lambda: train("nowhere/"), (DataError, ConfigError, KeyError), "nowhere"),
        (lambda: train(config="none.yaml"), ConfigError, "No config file at none.yaml"),
    ):
        with pytest.raises(error, match=message) as caught:
            call()
        assert isinstance(caught.value, MvlptError)
    assert not Path("output").exists()


def test_interrupting_leaves_a_state_that_the_same_call_takes_up(tmp_path):
    options = {"options": {"OPTIM.MAX_EPOCH": 40}}
    whole = train(output_dir="whole", **options)

    def stop_soon():
        while not Path("part/log.txt").is_file():
            time.sleep(0.01)
        time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGINT)

    watcher = threading.Thread(target=stop_soon)
    watcher.start()
    with pytest.raises(KeyboardInterrupt, match="the state is saved in part, the same call goes on"):
        train(output_dir="part", options={"OPTIM.MAX_EPOCH": 40, "TRAIN.CHECKPOINT_FREQ": 0})
    watcher.join()
    assert json.loads(Path("part/run.json").read_text())["state"] == "interrupted"
    done = train(output_dir="part", **options)
    first, second = (load_prompt(run.folder / "prompt.safetensors").sha256 for run in (whole, done))
    assert first == second


def test_records(monkeypatch):
    records = mvlpt.Records([{"task": "<b>", "metric": "accuracy", "value": 12.3456, "group": "", "n": 4}])
    shown = records._repr_html_()
    assert "&lt;b&gt;" in shown
    assert "<td>12.35</td>" in shown
    assert "group" not in shown
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtraError, match="pip install pandas"):
        records.to_pandas()


def test_records_as_a_table_of_pandas():
    pandas = pytest.importorskip("pandas")
    table = mvlpt.Records([{"task": "a", "value": 1.0}, {"task": "b", "value": 3.0}]).to_pandas()
    assert isinstance(table, pandas.DataFrame)
    assert table.value.mean() == 2


def test_other_backbones_take_the_recipe_of_vit_b16_and_their_own_images(monkeypatch):
    """Only the configuration is looked at: its weights are not here."""
    seen = []

    def stop(cfg):
        seen.append(cfg)
        raise ConfigError("seen")

    monkeypatch.setattr("mvlpt.api.training.run_config", stop)
    for backbone in (None, "ViT-L/14@336px"):
        with pytest.raises(ConfigError, match="seen"):
            mvlpt.train("toy-cold", backbone=backbone, shots=1)
    first, second = seen
    assert (first.MODEL.BACKBONE.NAME, first.INPUT.SIZE) == ("ViT-B/16", (224, 224))
    assert second.INPUT.SIZE == (336, 336)
    assert first.OPTIM.LR == second.OPTIM.LR
    assert second.INPUT.TRANSFORMS == ("random_resized_crop", "random_flip", "normalize")


@pytest.mark.parametrize("main_thread", [True, False])
def test_an_inline_experiment_starts_no_program(main_thread, toy_tasks, monkeypatch):
    """Its tasks are registered in this process only, so that a program would not know them."""
    monkeypatch.setattr(subprocess, "Popen", lambda *words, **how: pytest.fail(f"started {words}"))
    torch.set_num_threads(2)
    experiment = Experiment(
        tasks=("toy-warm", "toy-cold"),
        trainers=(CONFIG,),
        arms=("single", "all"),
        seeds=(1,),
        options={"OPTIM.MAX_EPOCH": 1},
        executor={"name": "inline"},
    )
    done = []

    def run():
        done.append(mvlpt.run_experiment(experiment, "out", verbose=False, measure=False))

    if main_thread:
        run()
    else:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    assert done[0].state == "finished"
    assert {(row["arm"], row["task"]) for row in done[0].results} == {
        (arm, task) for arm in ("single", "all") for task in experiment.tasks
    }
    assert json.loads(Path("out/MVLPT-VPT/all/1shot/seed1/run.json").read_text())["command"][-1] == "1"  # RUN.THREADS
    assert torch.get_num_threads() == 2


def test_it_works_outside_the_main_thread_and_without_a_terminal():
    """As programs with a window and servers call it."""
    done = []
    thread = threading.Thread(target=lambda: done.append(train()))
    thread.start()
    thread.join()
    assert done[0].results


def test_a_script_of_five_lines(tmp_path):
    (tmp_path / "five.py").write_text(
        "import mvlpt\n"
        'run = mvlpt.train("weather-dark", backbone="embedded", shots=1, options={"OPTIM.MAX_EPOCH": 1})\n'
        "print(run.results[0]['n'])\n"
    )
    done = subprocess.run([sys.executable, "five.py"], capture_output=True, text=True, check=True)
    assert done.stdout == "143\n"
    assert "Traceback" not in done.stderr
