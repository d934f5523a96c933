"""Trainers of an installed Dassl on this engine: adaptation, semi-supervised learning, several tasks, experiments.

The folder that holds ``dassl`` and what it needs is named by ``MVLPT_DASSL``; the tests are skipped without it.
"""

from __future__ import annotations

import json
import os

import pytest
import torch
from PIL import Image
from support.public_runs import run

from mvlpt.io import read_tensors, write_json

FOLDER = os.environ.get("MVLPT_DASSL", "")
pytestmark = pytest.mark.skipif(not FOLDER, reason="MVLPT_DASSL names no folder with Dassl")
DOMAINS = """
import os
from dassl.data.datasets import DATASET_REGISTRY, Datum, DatasetBase
from dassl.utils import listdir_nohidden


class Base(DatasetBase):
    domains = ["red", "green", "blue"]

    def __init__(self, cfg):
        self.folder = cfg.DATASET.ROOT
        sources = cfg.DATASET.SOURCE_DOMAINS or self.domains[:2]
        targets = cfg.DATASET.TARGET_DOMAINS or self.domains[2:]
        self.check_input_domains(sources, targets)
        parts = dict(train_x=(sources, slice(0, 4)), train_u=(targets, slice(0, 4)), val=(sources, slice(4, 6)))
        parts["test"] = (targets, slice(6, 8))
        super().__init__(**{name: self.read(*part) for name, part in parts.items()})

    def read(self, domains, part):
        return [
            Datum(impath=os.path.join(self.folder, one, name, file), label=label, domain=domain, classname=name)
            for domain, one in enumerate(domains)
            for label, name in enumerate(["dark", "light"])
            for file in listdir_nohidden(os.path.join(self.folder, one, name), sort=True)[part]
        ]


@DATASET_REGISTRY.register()
class Domains(Base):
    pass


@DATASET_REGISTRY.register()
class MoreDomains(Base):
    pass
"""
STRONG = "('random_flip', 'randaugment_fixmatch', 'normalize')"
BY_DOMAIN = ("DATALOADER.TRAIN_X.SAMPLER", "RandomDomainSampler", "DATALOADER.TRAIN_X.N_DOMAIN", 2)
BY_DOMAIN += ("DATALOADER.TRAIN_U.SAME_AS_X", False, "DATALOADER.TRAIN_U.BATCH_SIZE", 4)
TWO_VIEWS = ("DATALOADER.K_TRANSFORMS", 2)
TRAINERS = {
    "SourceOnly": (),
    "DANN": (),
    "MCD": (),
    "MME": (),
    "M3SDA": BY_DOMAIN,
    "SE": TWO_VIEWS,
    "CDAC": (*TWO_VIEWS, "TRAINER.CDAC.STRONG_TRANSFORMS", STRONG),
    "DAEL": (*BY_DOMAIN, "TRAINER.DAEL.STRONG_TRANSFORMS", STRONG),
    "CrossGrad": (),
    "DDAIG": ("TRAINER.DDAIG.G_ARCH", "fcn_3x32_gctx"),
    "DAELDG": (*BY_DOMAIN, "TRAINER.DAELDG.STRONG_TRANSFORMS", STRONG),
    "DomainMix": (),
    "Vanilla": (),
    "EntMin": (),
    "FixMatch": ("TRAINER.FIXMATCH.STRONG_TRANSFORMS", STRONG),
    "MeanTeacher": (),
    "MixMatch": TWO_VIEWS,
    "SupBaseline": (),
}
OPTIONS = ("MODEL.BACKBONE.PRETRAINED", False, "INPUT.SIZE", "(32,32)", "OPTIM.MAX_EPOCH", 3, "OPTIM.LR", 0.001)
OPTIONS += ("DATALOADER.NUM_WORKERS", 0, "RUN.TENSORBOARD", False, "RUN.THREADS", 1, "TRAIN.CHECKPOINT_FREQ", 1)
OPTIONS += ("DATALOADER.TRAIN_X.BATCH_SIZE", 4)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("domains")
    for channel, domain in enumerate(("red", "green", "blue")):
        for name, level in (("dark", 40), ("light", 210)):
            (folder / domain / name).mkdir(parents=True)
            for number in range(8):
                colour = [20, 20, 20]
                colour[channel] = level + number
                Image.new("RGB", (20, 20), tuple(colour)).save(folder / domain / name / f"{number}.png")
    (folder / "domains.py").write_text(DOMAINS)
    return folder


@pytest.fixture
def call(root, tmp_path):
    def call(trainer, output, *words, dataset="Domains", options=(), stop_after=0):
        line = ["train", "--plugin", root / "domains.py", "--trainer", trainer, "--root", root, "--seed", 1, *words]
        line += ["--dataset", dataset, "--backbone", "cnn_digitsdg", "--output-dir", tmp_path / output, "--quiet"]
        line += [*OPTIONS, *options]
        return run(line, tmp_path, tmp_path / f"{output}.txt", stop_after=stop_after, paths=[FOLDER])

    return call


@pytest.mark.parametrize("trainer", TRAINERS)
def test_a_trainer_of_dassl_trains_and_goes_on_bit_for_bit(trainer, call, tmp_path):
    def trained(output, *words, stop_after=0):
        domains = ("--source-domains", "red", "green", "--target-domains", "blue")
        return call(trainer, output, *domains, *words, options=TRAINERS[trainer], stop_after=stop_after)

    status, text = trained("whole")
    assert status == 0, text[-3000:]
    assert json.loads((tmp_path / "whole" / "results.jsonl").read_text())["n"] == 4
    status, text = trained("stopped", stop_after=7)
    assert status == 130, text[-3000:]
    status, text = trained("stopped", "--resume")
    assert status == 0, text[-3000:]
    files = sorted((tmp_path / "whole").glob("*/model.pth.tar-3"))
    assert files
    for path in files:
        whole = read_tensors(path)["state_dict"]
        resumed = read_tensors(tmp_path / "stopped" / path.parent.name / path.name)["state_dict"]
        assert [key for key in whole if not torch.equal(whole[key], resumed[key])] == []


def test_a_trainer_that_refuses_its_options_is_quoted(call):
    status, text = call("FixMatch", "refused")
    assert status == 2
    assert "The trainer FixMatch refuses these options" in text
    assert "STRONG_TRANSFORMS" in text


def test_several_tasks_share_a_trainer_of_dassl(call, tmp_path):
    status, text = call("Vanilla", "shared", dataset="Domains,MoreDomains")
    assert status == 0, text[-3000:]
    rows = [json.loads(line) for line in (tmp_path / "shared" / "results.jsonl").read_text().splitlines()]
    assert [row["task"] for row in rows] == ["Domains", "MoreDomains"]


def test_an_experiment_groups_and_schedules_a_trainer_of_dassl(tmp_path):
    tasks = ["weather-plain", "weather-dark", "tools-plain"]
    line = ["group", "--tasks", ",".join(tasks), "--groups", 2, "--shots", 1, "--seed", 1, "--out", "graph"]
    status, text = run([*line, "--no-pictures"], tmp_path, tmp_path / "output.txt", paths=[FOLDER])
    assert status == 0, text[-3000:]
    content = {
        "TRAINER": {"NAME": "Vanilla"},
        "MODEL": {"BACKBONE": {"NAME": "resnet18", "PRETRAINED": False}},
        "INPUT": {"SIZE": [48, 48]},
        "OPTIM": {"MAX_EPOCH": 1},
        "DATALOADER": {"NUM_WORKERS": 0},
    }
    write_json(content, tmp_path / "vanilla.yaml")
    experiment = {
        "tasks": tasks,
        "trainers": ["vanilla.yaml"],
        "arms": ["all", "grouped"],
        "shots": [1],
        "seeds": [1],
        "grouping": {"file": "graph/groups.yaml"},
        "executor": {"name": "local", "slots": 1},
    }
    write_json(experiment, tmp_path / "experiment.yaml")
    line = ["experiment", "--config-file", "experiment.yaml", "--output-dir", "run"]
    status, text = run(line, tmp_path, tmp_path / "output.txt", paths=[FOLDER])
    assert status == 0, text[-3000:]
    rows = [json.loads(line) for line in (tmp_path / "run" / "results.jsonl").read_text().splitlines()]
    assert {row["trainer"] for row in rows} == {"Vanilla"}
    assert len(rows) == 6
