"""Every task in miniature trains one step on the embedded model; several train together; test sets are evaluated."""

import pytest
from support.mini_coop import write_raw, write_split_file
from support.mini_tasks import write_official
from support.mini_torchvision import write_torchvision
from support.toy import toy_config

import mvlpt.datasets
import mvlpt.trainers  # noqa: F401  (registers the trainers)
from mvlpt.data.sources import known_tasks, task_metadata
from mvlpt.engine import run_config

ELEVATER = [metadata.name for metadata in known_tasks("elevater")]
LONG_NAMES = {"gtsrb", "patch-camelyon", "stanford-cars"}  # longer than the embedded model's 24 tokens of text
COOP = [metadata.name for metadata in known_tasks("coop") if not metadata.test_only]


def train_one_step(root, output, names, **options):
    fixed = {"DATALOADER__EPOCH_STEPS": 1, "OPTIM__MAX_EPOCH": 1, "DATALOADER__TEST__BATCH_SIZE": 32}
    cfg = toy_config(
        output, DATASET__ROOT=str(root), DATASET__DATASET=names, DATASET__NUM_SHOTS=1, **fixed, **options
    )  # fmt: skip
    return run_config(cfg).rows


@pytest.mark.parametrize("name", ELEVATER)
def test_elevater(tmp_path, name):
    write_official(tmp_path / "data", name)
    trainer = {"TRAINER__NAME": "LinearProbe"} if name in LONG_NAMES else {}
    (row,) = train_one_step(tmp_path / "data", tmp_path / "run", name, **trainer)
    assert (row["task"], row["metric"]) == (name, task_metadata(name).metric)
    assert 0 <= row["value"] <= 100


@pytest.mark.parametrize("name", COOP)
def test_coop(tmp_path, name):
    (write_split_file if task_metadata(name).split_file else write_raw)(tmp_path / "data", name)
    (row,) = train_one_step(tmp_path / "data", tmp_path / "run", name)
    assert (row["task"], row["metric"]) == (name, "accuracy")


@pytest.mark.parametrize("name", ["cifar-10", "fer-2013", "voc-2007-classification", "kitti-distance"])
def test_torchvision(tmp_path, name, monkeypatch):
    write_torchvision(tmp_path / "data", name, monkeypatch)
    (row,) = train_one_step(tmp_path / "data", tmp_path / "run", name)
    assert row["task"] == name


def test_images_in_arrays_reach_worker_processes(tmp_path, monkeypatch):
    write_torchvision(tmp_path / "data", "mnist", monkeypatch)
    (row,) = train_one_step(tmp_path / "data", tmp_path / "run", "mnist", DATALOADER__NUM_WORKERS=1)
    assert row["n"] == 6


def test_three_layouts_share_a_prompt(tmp_path, monkeypatch):
    write_official(tmp_path / "data", "resisc45_clip")
    write_torchvision(tmp_path / "data", "mnist", monkeypatch)
    write_split_file(tmp_path / "data", "UCF101")
    rows = train_one_step(tmp_path / "data", tmp_path / "run", "UCF101,resisc45_clip,mnist")
    assert [row["task"] for row in rows] == ["UCF101", "resisc45_clip", "mnist"]


@pytest.mark.parametrize("name", [metadata.name for metadata in known_tasks("coop") if metadata.test_only])
def test_shifted_test_sets_are_evaluated(tmp_path, name):
    write_raw(tmp_path / "data", name)
    (row,) = train_one_step(
        tmp_path / "data", tmp_path / "run", name, TRAINER__NAME="ZeroshotCLIP", RUN__MODE="eval"
    )  # fmt: skip
    assert (row["task"], row["split"]) == (name, "test")
