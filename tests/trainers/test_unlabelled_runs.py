"""Runs on pseudo-labels: no label is read, each round is an ordinary run on the labels that a formula gives."""

import csv
import json
import shutil
from pathlib import Path

import pytest
import torch
from support.stopping import ctrl_c_after
from support.toy import toy_config, write_task

import mvlpt.trainers  # noqa: F401 - registers the trainers
from mvlpt.cli import main
from mvlpt.data import DataManager
from mvlpt.data.datasets import DATASET_REGISTRY
from mvlpt.datasets.embedded import embedded_names, embedded_task
from mvlpt.engine import config_identity, run_config
from mvlpt.engine.registries import build_trainer
from mvlpt.errors import ConfigError, DataError
from mvlpt.experiment.configurations import Configurations
from mvlpt.experiment.costs.model import work_of
from mvlpt.experiment.spec import Experiment
from mvlpt.inference import load
from mvlpt.models import load_prompt
from mvlpt.runtime import Interrupted

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "trainers"
COLOURS = ("red", "green", "blue", "white")
NAMES = ("unlabelled-a", "relabelled-a", "unlabelled-b")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Two tasks, and a copy of the first for other labels."""
    root = tmp_path_factory.mktemp("unlabelled")
    tasks = {name: write_task(root, name, COLOURS[:count]) for name, count in zip(NAMES, (4, 4, 2), strict=True)}
    shutil.copytree(root / NAMES[0], root / NAMES[1], dirs_exist_ok=True)
    (root / "tasks.json").write_text(json.dumps({"format_version": 1, "tasks": tasks}))
    DATASET_REGISTRY.register_family(lambda: embedded_names(root), lambda name: embedded_task(name, root))
    return root


def settings(folder, method="grip", trainer="MVLPT-CoOp", **options):
    cfg = toy_config(folder)
    cfg.merge_from_file(CONFIGS / trainer / "embedded.yaml")
    known = {"PSEUDO_LABELS.METHOD": method, "PSEUDO_LABELS.ROUNDS": 3, "PSEUDO_LABELS.PER_CLASS": 2}
    known |= {"DATASET": NAMES[0], "NUM_SHOTS": -1}
    words = {f"DATASET.{key}": value for key, value in known.items()} | {
        "OPTIM.MAX_EPOCH": 2,
        "DATALOADER.TRAIN_X.BATCH_SIZE": 4,
    }
    words |= {key.replace("__", "."): value for key, value in options.items()}
    cfg.merge_from_list([word for pair in words.items() for word in pair])
    cfg.freeze()
    return cfg


def prompt(folder):
    return load_prompt(Path(folder) / "prompt.safetensors").tensors


def given(folder):
    """The labels of each round: {file: [(image, label)]}."""
    found = {}
    for file in sorted((Path(folder) / "pseudo_labels").iterdir()):
        rows = list(csv.DictReader(file.open(encoding="utf-8")))
        found[file.name] = [(row["image"], row["label"]) for row in rows]
    return found


def assert_equal(one, other):
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize(("method", "trainer"), [("grip", "MVLPT-VPT"), ("ifpl", "MVLPT-CoOp")])
def test_true_labels_of_unlabelled_images_change_nothing(root, tmp_path, method, trainer):
    file = root / NAMES[0] / "train.txt"
    before = file.read_text()
    run_config(settings(tmp_path / "true", method, trainer))
    lines = [line.rsplit(" ", 1) for line in before.splitlines()]
    try:
        file.write_text("".join(f"{image} {(int(label) + 1) % 4}\n" for image, label in lines))
        assert DataManager(settings(tmp_path, "none")).dataset.train_x[0].label == 1  # they are other labels indeed
        run_config(settings(tmp_path / "false", method, trainer))
    finally:
        file.write_text(before)
    assert_equal(prompt(tmp_path / "true"), prompt(tmp_path / "false"))
    assert given(tmp_path / "true") == given(tmp_path / "false")


def greedy(probability, per_class):
    """Every pair of an image and a class in the order of probability."""
    pairs = sorted((-value, i, k) for i, row in enumerate(probability) for k, value in enumerate(row))
    found = {}
    for _, image, label in pairs:
        if image not in found and list(found.values()).count(label) < per_class:
            found[image] = label
    return found


def test_each_round_is_an_ordinary_run_on_labels_by_the_round_before(root, tmp_path):
    """Round 1 by zero-shot probabilities, later ones by the tuned prompt's; every round starts from the same prompt."""
    run_config(settings(tmp_path / "grip", "grip"))
    run_config(settings(tmp_path / "labeller", "none", "ZeroshotCLIP", RUN__MODE="eval"))
    pool = [line.split(" ")[0] for line in (root / NAMES[0] / "train.txt").read_text().splitlines()]
    images = [str(root / NAMES[0] / image) for image in pool]
    labeller = tmp_path / "labeller"
    for round in range(3):
        labels = greedy(load(labeller, device="cpu").predict_proba(images), round + 1)  # 12 images, 4 classes
        rows = [f"{pool[image]} {labels[image]}\n" for image in sorted(labels)]
        (root / NAMES[1] / "train.txt").write_text("".join(rows))
        chosen = [(image, COLOURS[labels[i]]) for i, image in enumerate(images) if i in labels]
        assert sorted(given(tmp_path / "grip")[f"round-{round + 1}.csv"]) == sorted(chosen)
        labeller = tmp_path / f"ordinary-{round}"
        run_config(settings(labeller, "none", DATASET__DATASET=NAMES[1]))
    assert_equal(prompt(tmp_path / "grip"), prompt(labeller))


@pytest.mark.parametrize("step", [1, 8])
def test_stopped_in_any_round_it_ends_the_same(root, tmp_path, step):
    both = {"DATASET__DATASET": f"{NAMES[0]},{NAMES[2]}", "DATASET__NUM_SHOTS": 1}
    run_config(settings(tmp_path / "whole", **both))
    with ctrl_c_after(step), pytest.raises(Interrupted):
        run_config(settings(tmp_path / "parts", **both))
    run_config(settings(tmp_path / "parts", RESUME=str(tmp_path / "parts"), **both))
    assert_equal(prompt(tmp_path / "whole"), prompt(tmp_path / "parts"))
    assert given(tmp_path / "whole") == given(tmp_path / "parts")


def test_labelled_images_keep_their_labels_and_are_labelled_by_nobody_else(root, tmp_path):
    cfg = settings(tmp_path, "fpl", DATASET__NUM_SHOTS=1)
    trainer = build_trainer(cfg)
    labelled = {item.impath: item.label for item in trainer.dm.dataset.train_x}
    assert len(labelled) == 4
    assert {item.label for item in trainer.dm.dataset.train_u} == {0}
    run_config(cfg)
    assert not labelled.keys() & {image for image, _ in given(tmp_path)["round-1.csv"]}
    trainer._pool.loader = trainer.training_batches()
    loader = trainer._pool.of_round(trainer._labels(0))
    trained = [(item.impath, item.label) for item in loader.data_source]
    assert len(trained) == 8 + 2 * 4  # as many labelled as chosen ones
    assert {(image, labelled[image]) for image, _ in trained if image in labelled} == set(labelled.items())
    whole = dict(zip(labelled, trainer._pool.loader.bank.features[0], strict=False))
    for index, (image, _) in enumerate(trained):
        if image in whole:
            torch.testing.assert_close(loader.bank.features[0, index], whole[image])


def test_the_plan_knows_the_steps_of_all_rounds(root, tmp_path):
    for options in ({}, {"method": "ifpl"}, {"method": "fpl"}, {"DATASET__NUM_SHOTS": 1}):
        cfg = settings(tmp_path / "run", **options)
        trainer = build_trainer(cfg)
        steps = 2 * sum(max(1, size // 4) for size in trainer._pool.sizes())
        assert work_of(cfg, "train").steps == steps
    images = work_of(settings(tmp_path, trainer="MVLPT-VPT"), "train").images
    assert images == 12 + 3 * 12 + 16  # to train on, once as pixels; to label, in each round; to test


def test_the_method_makes_another_run(tmp_path):
    plain, rounds = settings(tmp_path, "none"), settings(tmp_path, "grip")
    assert config_identity(plain) != config_identity(rounds)
    default = settings(tmp_path, "none", DATASET__PSEUDO_LABELS__ROUNDS=10, DATASET__PSEUDO_LABELS__PER_CLASS=16)
    assert config_identity(default) == config_identity(toy_like(default))


def toy_like(cfg):
    """The configuration as it was before there were pseudo-labels."""
    older = cfg.clone()
    older.defrost()
    del older.DATASET["PSEUDO_LABELS"]
    return older


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"trainer": "TipAdapter"}, "TipAdapter needs labels"),
        ({"trainer": "LinearProbe"}, "LinearProbe needs labels"),
        ({"DATASET__FOLDS": 2}, "FOLDS splits labelled images"),
        ({"DATASET__SAMPLING": "elevater"}, "SAMPLING independent or coop"),
        ({"DATASET__NUM_SHOTS": 3}, "no unlabelled images.* set it to -1"),
        ({"DATASET__PSEUDO_LABELS__METHOD": "gripe"}, "did you mean 'grip'"),
    ],
)
def test_what_needs_labels_is_refused(root, tmp_path, options, message):
    with pytest.raises((ConfigError, DataError), match=message):
        run_config(settings(tmp_path / "run", **options))
    assert not (tmp_path / "run").exists()


def test_an_experiment_with_a_trainer_that_needs_labels_is_not_planned(root):
    options = {"DATASET.PSEUDO_LABELS.METHOD": "fpl"}
    files = ["configs/trainers/MVLPT-CoOp/embedded.yaml", "configs/trainers/TipAdapter/embedded.yaml"]
    fields = {"tasks": [NAMES[0]], "arms": ["single"], "shots": [-1], "seeds": [1], "options": options}
    Configurations(Experiment(trainers=files[:1], **fields)).check()
    for wrong in ({"trainers": files}, {"trainers": files[:1], "baselines": files[1:]}):
        with pytest.raises(ConfigError, match="TipAdapter needs labels"):
            Configurations(Experiment(**wrong, **fields)).check()


def task_file(tmp_path, **content):
    photos = tmp_path / "photos"
    photos.mkdir()
    for number, colour in enumerate(COLOURS[:2] * 3):
        from support.toy import draw

        draw(colour, number, "own").save(photos / f"{number}.png")
        (tmp_path / "known" / "test" / colour).mkdir(parents=True, exist_ok=True)
        draw(colour, 50 + number, "own").save(tmp_path / "known" / "test" / colour / f"{number}.png")
    (tmp_path / "own.yaml").write_text(json.dumps({"images": "known", "unlabelled": "photos", **content}))
    config = str(CONFIGS / "MVLPT-CoOp" / "embedded.yaml")
    return ["train", "--quiet", "--config-file", config, "--output-dir", str(tmp_path / "o"), "OPTIM.MAX_EPOCH", "1"]


def test_photos_without_labels_are_a_task_for_pseudo_labels_only(tmp_path, capsys):
    command = task_file(tmp_path)
    own = ["--dataset", str(tmp_path / "own.yaml")]
    assert main([*command, "--dataset", f"{tmp_path}/photos/"]) == 2
    assert "contains images without labels" in one_line(capsys)
    assert main([*command, *own]) == 2
    assert "images without labels only; set DATASET.PSEUDO_LABELS.METHOD" in one_line(capsys)
    assert not (tmp_path / "o").exists()
    assert main([*command, *own, "DATASET.PSEUDO_LABELS.METHOD", "fpl", "DATASET.PSEUDO_LABELS.PER_CLASS", "2"]) == 0
    assert len(given(tmp_path / "o")["round-1.csv"]) == 4
    assert {label for _, label in given(tmp_path / "o")["round-1.csv"]} == set(COLOURS[:2])


def one_line(capsys):
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def test_several_labels_of_an_image_are_refused(tmp_path, capsys):
    command = task_file(tmp_path, manifest="labels.csv", images="photos")
    rows = ["image,labels,split", "0.png,red;green,train", "1.png,green,train", "2.png,red,test", "3.png,green,test"]
    (tmp_path / "labels.csv").write_text("\n".join(rows) + "\n")
    assert main([*command, "--dataset", str(tmp_path / "own.yaml"), "DATASET.PSEUDO_LABELS.METHOD", "fpl"]) == 2
    assert "own gives an image several labels" in one_line(capsys)
    assert not (tmp_path / "o").exists()
