"""What every registered trainer must pass: registering is enough to be tested. Each starts from its own YAML file."""

import json
import os
import signal
from pathlib import Path

import pytest
import torch

import mvlpt.trainers  # noqa: F401 - registers the trainers
from mvlpt.config import get_cfg_default
from mvlpt.engine import TRAINER_REGISTRY, run_config
from mvlpt.engine.registries import build_trainer
from mvlpt.engine.simple_trainer import SimpleTrainer
from mvlpt.errors import ConfigError
from mvlpt.experiment.costs.tuning import tuning_of
from mvlpt.runtime import Interrupted

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "trainers"
NAMES = sorted(
    name for name in TRAINER_REGISTRY.registered_names() if TRAINER_REGISTRY.get(name).__module__.startswith("mvlpt.")
)
ONE_TASK = {"CoOp", "VPT", "UPT"}


def settings(name, folder, **options):
    """A run of three epochs; of many tasks where the trainer takes them."""
    cfg = get_cfg_default()
    cfg.merge_from_file(CONFIGS / name / "embedded.yaml")
    small = {
        "DATASET.DATASET": "toy-warm" if name in ONE_TASK else "toy-warm,toy-cold",
        "DATASET.NUM_SHOTS": 2,
        "DATALOADER.TRAIN_X.BATCH_SIZE": 4,
        "OPTIM.MAX_EPOCH": 3,
        "VERBOSE": False,
        "RUN.TENSORBOARD": False,
        "SEED": 1,
        "OUTPUT_DIR": str(folder),
    }
    cfg.merge_from_list([word for pair in small.items() for word in pair])
    cfg.merge_from_list([word for key, value in options.items() for word in (key.replace("__", "."), value)])
    cfg.freeze()
    return cfg


def weights(folder):
    found = {}
    for file in sorted(Path(folder).glob("*/model.pth.tar-*")):
        state = torch.load(file, weights_only=True)["state_dict"]
        found |= {f"{file.parent.name}/{file.name}/{key}": value for key, value in state.items()}
    return found


def scores(folder):
    return [json.loads(line)["value"] for line in (Path(folder) / "results.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def finished(toy_tasks, tmp_path_factory):
    """A finished run of each trainer, made when it is asked for."""
    folders = {}

    def run(name):
        if name not in folders:
            folders[name] = tmp_path_factory.mktemp("run")
            run_config(settings(name, folders[name]))
        return folders[name]

    return run


@pytest.mark.parametrize("name", NAMES)
def test_it_scores_every_task_and_is_repeatable(finished, toy_tasks, tmp_path, name):
    folder = finished(name)
    assert len(scores(folder)) == (1 if name in ONE_TASK else 2)
    assert all(0 <= value <= 100 for value in scores(folder))
    run_config(settings(name, tmp_path))
    ours, again = weights(folder), weights(tmp_path)
    assert ours.keys() == again.keys()
    assert all(torch.equal(ours[key], again[key]) for key in ours)
    assert scores(folder) == scores(tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_stopped_and_resumed_it_ends_the_same(finished, toy_tasks, tmp_path, monkeypatch, name):
    folder, steps = finished(name), 0
    after_step = SimpleTrainer.after_step

    def stop(self, next_batch):
        nonlocal steps
        steps += 1
        if steps == 2:
            os.kill(os.getpid(), signal.SIGINT)
        after_step(self, next_batch)

    with monkeypatch.context() as patch:
        patch.setattr(SimpleTrainer, "after_step", stop)
        if not trains(name):
            pytest.skip("it makes no steps")
        with pytest.raises(Interrupted):
            run_config(settings(name, tmp_path))
    run_config(settings(name, tmp_path, RESUME=str(tmp_path)))
    ours, resumed = weights(folder), weights(tmp_path)
    assert all(torch.equal(ours[key], resumed[key]) for key in ours)
    assert scores(folder) == scores(tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_evaluated_from_its_checkpoint_it_scores_the_same(finished, toy_tasks, tmp_path, name):
    folder = finished(name)
    options = {"RUN__MODE": "eval", "RUN__INIT_FROM": str(folder) if weights(folder) else ""}
    run_config(settings(name, tmp_path, **options))
    assert scores(folder) == scores(tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_its_cost_is_known_before_it_runs(toy_tasks, tmp_path, name):
    """The plan takes image features as kept exactly where the trainer's own loaders keep them."""
    cfg = settings(name, tmp_path)
    trainer = build_trainer(cfg)
    assert tuning_of(cfg).image == trainer.trains_images


@pytest.mark.parametrize("name", sorted(ONE_TASK))
def test_a_trainer_of_one_task_names_the_one_for_many(toy_tasks, tmp_path, name):
    with pytest.raises(ConfigError, match=f"MVLPT-{name}"):
        build_trainer(settings(name, tmp_path, DATASET__DATASET="toy-warm,toy-cold"))


def trains(name):
    kind = TRAINER_REGISTRY.get(name)
    head = getattr(kind, "head", None)
    return name not in ("ZeroshotCLIP", "TPT") and (head is None or head.trains)
