"""Published few-shot samples: the forms they come in, other machines' folders, and files that do not fit."""

import json
import random

import numpy as np
import pytest
from support.mini_coop import CLASSES, write_split_file
from support.published_samples import write_coop_pickle, write_cross_modal, write_lines
from support.toy import write_task
from yacs.config import CfgNode

import mvlpt.datasets  # noqa: F401 - registers the tasks
from mvlpt.config import get_cfg_default
from mvlpt.data import DataManager, build_dataset
from mvlpt.data.sampling import format_sample
from mvlpt.datasets.embedded import embedded_task
from mvlpt.errors import ConfigError, DataError

SHOTS = {
    split: [(f"{name}/{split}_1.jpg", label, name) for label, name in enumerate(CLASSES)] for split in ("train", "val")
}
FORMS = {
    "coop": lambda path, rows: write_coop_pickle(path / "s.pkl", rows, "/home/kz/data/eurosat/2750"),
    "numpy labels": lambda path, rows: write_coop_pickle(path / "s.pkl", rows, "/x", kind=np.int64),
    "cross-modal": lambda path, rows: write_cross_modal(path / "s.json", rows, "./data/eurosat/2750"),
    "lines": lambda path, rows: write_lines(path / "s.jsonl", rows),
    "lines below the root": lambda path, rows: write_lines(path / "s.jsonl", rows, "eurosat/2750/"),
    "lines of Windows": lambda path, rows: write_lines(path / "s.jsonl", rows, "D:\\data\\2750\\"),
    "other columns": lambda path, rows: write_lines(path / "s.jsonl", rows, columns=("image", "class", "class name")),
    "split file": lambda path, rows: _json(path, rows),
    "record of a run": lambda path, rows: _json(path, {k: [row[:2] for row in v] for k, v in rows.items()}),
}


def _json(path, rows, **about):
    (path / "s.json").write_text(json.dumps({**about, **rows}))
    return path / "s.json"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    write_split_file(root, "EuroSAT")
    return root


def build(root, samples, shots=1, **options):
    cfg = get_cfg_default()
    cfg.SEED, cfg.VERBOSE, cfg.DATASET.ROOT, cfg.DATASET.NUM_SHOTS = 1, False, str(root), shots
    cfg.DATASET.SAMPLES = str(samples)
    for key, value in options.items():
        cfg.DATASET[key] = value
    cfg.freeze()
    return build_dataset(cfg, "EuroSAT")


def ends(items, count=2):
    return ["/".join(item.impath.split("/")[-count:]) for item in items]


@pytest.mark.parametrize("form", FORMS)
def test_the_images_are_those_of_the_file_in_its_order(form, root, tmp_path):
    rows = {split: random.Random(0).sample(listed, 3) for split, listed in SHOTS.items()}
    data = build(root, FORMS[form](tmp_path, rows))
    for items, split in ((data.train_x, "train"), (data.val, "val")):
        assert ends(items) == [path for path, _, _ in rows[split]]
        assert [(item.label, item.classname) for item in items] == [(label, name) for _, label, name in rows[split]]
        assert all(item.impath.startswith(str(root)) for item in items)
    assert len(data.test) == 6


def test_what_is_published_is_read_again(root, tmp_path):
    drawn = build(root, "", shots=2)
    (tmp_path / "s.jsonl").write_text(format_sample(drawn.train_x, drawn.val, drawn.dataset_dir))
    assert json.loads((tmp_path / "s.jsonl").read_text().splitlines()[0])["path"].startswith("2750/")
    read = build(root, tmp_path / "s.jsonl", shots=2)
    assert (ends(read.train_x), ends(read.val)) == (ends(drawn.train_x), ends(drawn.val))


def test_only_training_images_leave_no_validation_images(root, tmp_path):
    assert build(root, write_lines(tmp_path / "s.jsonl", {"train": SHOTS["train"]})).val == []


def test_base_and_new_classes_are_taken_from_the_sample(root, tmp_path):
    path = FORMS["coop"](tmp_path, SHOTS)
    base, new = (build(root, path, SUBSAMPLE_CLASSES=half) for half in ("base", "new"))
    assert ends([*base.train_x, *new.train_x]) == [path for path, _, _ in SHOTS["train"]]
    assert [item.label for item in new.train_x] == [0]


def test_folders_and_patterns_name_the_file_of_the_task(root, tmp_path):
    own = root / "eurosat" / "split_fewshot" / "shot_1-seed_1.pkl"
    write_coop_pickle(own, SHOTS, str(root / "eurosat" / "2750"))
    write_cross_modal(tmp_path / "indices" / "eurosat" / "shot_1-seed_1.json", SHOTS, "./data/eurosat/2750")
    write_lines(tmp_path / "lines" / "EuroSAT-shots1-seed1.jsonl", SHOTS)
    pattern = "{folder}/split_fewshot/shot_{shots}-seed_{seed}.pkl"
    for given in (
        root,
        pattern,
        tmp_path / "indices",
        tmp_path / "lines",
        tmp_path / "lines" / "{task}-shots{shots}-seed{seed}.jsonl",
    ):
        assert ends(build(root, given).train_x) == [path for path, _, _ in SHOTS["train"]]
    own.unlink()
    with pytest.raises(
        DataError, match=r"holds no sample of 'EuroSAT' with 1 shots and seed 1, such as EuroSAT/split_few"
    ):
        build(root, root)
    with pytest.raises(ConfigError, match=r"\{shot\} is not one of \{task\}, \{folder\}, \{shots\}, \{seed\}"):
        build(root, "{task}/{shot}.pkl")
    write_lines(tmp_path / "lines" / "eurosat.jsonl", SHOTS)
    with pytest.raises(
        DataError, match=r"holds several samples of 'EuroSAT': EuroSAT-shots1-seed1\.jsonl, eurosat\.jsonl"
    ):
        build(root, tmp_path / "lines")


def test_several_tasks_each_read_their_own_file(toy_tasks, tmp_path):
    for task, colours in (("toy-warm", ("red", "yellow", "white")), ("toy-cold", ("blue", "green"))):
        data = build_dataset(get_cfg_default(), task)
        first = {item.label: item for item in reversed(data.train_x)}
        rows = [(item.impath.split("@")[1], item.label, colours[item.label]) for item in first.values()]
        write_lines(tmp_path / f"{task}.jsonl", {"train": rows}, "images.zip@")
    cfg = get_cfg_default()
    cfg.merge_from_list(["DATASET.NAME", "toy-warm,toy-cold", "DATASET.NUM_SHOTS", 1, "SEED", 1, "VERBOSE", False])
    cfg.merge_from_list(["DATASET.SAMPLES", str(tmp_path / "{task}.jsonl"), "DATASET.SAMPLING", "mvlpt"])
    data = DataManager(cfg)
    assert len(data.dataset.train_x) == 5
    kept = [json.loads(path.read_text()) for path in data.keep_samples(tmp_path / "kept")]
    assert [(one["protocol"], len(one["train"])) for one in kept] == [("published", 3), ("published", 2)]


def changed(split, number, **fields):
    """The sample with one row changed."""
    rows = {
        name: [dict(zip(("path", "label", "classname"), row, strict=True)) for row in v] for name, v in SHOTS.items()
    }
    rows[split][number].update(fields)
    return {name: [tuple(row.values()) for row in listed] for name, listed in rows.items()}


PROBLEMS = {
    "an image that is not there": (changed("train", 1, path="beach/x.jpg"), 1, "beach/x.jpg' is not in"),
    "a name of another class": (changed("train", 1, path="canyon/val_0.jpg"), 1, "canyon/val_0.jpg' is of class 1"),
    "another number": (changed("train", 1, label=2), 1, r"of class 2 \('beach'\), but in .* of class 1 \('beach'\)"),
    "another name": (changed("val", 0, classname="alp"), 1, r"of class 0 \('alp'\), but .* 0 \('alpine_hut'\)"),
    "a test image": (changed("train", 0, path="beach/test_0.jpg"), 1, "listed in train, but the .* has it in test"),
    "an image twice": ({"train": [*SHOTS["train"], SHOTS["train"][0]]}, 1, "train_1.jpg' is listed twice in train"),
    "more shots": (SHOTS, 2, "1 training images of class 0 .*, but the run asks for 2; name .* or give --shots 1"),
    "all images": (SHOTS, -1, "has 1 training images a class; say so: --shots 1"),
    "a class without images": ({"train": SHOTS["train"][1:]}, 1, "0 training images of class 0 .'alpine_hut'."),
    "no training images": ({"train": [], "val": SHOTS["val"]}, 1, "lists no training image"),
    "some test images": ({**SHOTS, "test": [("beach/test_0.jpg", 1, "beach")]}, 1, "lists 1 of the 6 test images"),
    "another data set": ({"train": [("dog/1.jpg", 0, "dog")]}, 1, "no image of the data set 'EuroSAT', the first is"),
}  # fmt: skip


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_sample_that_does_not_fit_is_refused_in_a_sentence(name, root, tmp_path):
    rows, shots, says = PROBLEMS[name]
    with pytest.raises(DataError, match=says) as raised:
        build(root, write_coop_pickle(tmp_path / "s.pkl", rows, "/elsewhere/eurosat/2750"), shots)
    assert str(tmp_path / "s.pkl") in str(raised.value)


def test_a_record_says_its_task_and_shots(root, tmp_path):
    with pytest.raises(DataError, match="is of the task 'dtd', but the data set is 'EuroSAT'"):
        build(root, _json(tmp_path, SHOTS, task="dtd"))
    with pytest.raises(DataError, match="was drawn for 5 shots, but the run asks for 1"):
        build(root, _json(tmp_path, SHOTS, shots=5))
    assert len(build(root, _json(tmp_path, SHOTS, task="EuroSAT", shots=5), 5).train_x) == 3  # a fifth was split off


def test_small_classes_contribute_all_their_images(root, tmp_path):
    rows = {
        "train": [
            (f"{name}/train_{number}.jpg", label, name) for label, name in enumerate(CLASSES) for number in range(3)
        ]
    }
    assert len(build(root, write_lines(tmp_path / "s.jsonl", rows), 16).train_x) == 9


def test_its_validation_images_are_not_trained_on_without_labels(root, tmp_path):
    rows = {
        split: [(f"{name}/train_{number}.jpg", label, name) for label, name in enumerate(CLASSES)]
        for number, split in enumerate(("train", "val"))
    }
    options = CfgNode({"METHOD": "fpl", "PER_CLASS": 2, "ROUNDS": 1})
    data = build(root, write_lines(tmp_path / "s.jsonl", rows), PSEUDO_LABELS=options)
    assert ends(data.train_u) == [f"{name}/train_2.jpg" for name in CLASSES]


def test_spellings_of_a_class_name_do_not_matter(root, tmp_path):
    rows = {"train": [(path, label, name.replace("_", " ").title()) for path, label, name in SHOTS["train"]]}
    assert len(build(root, write_lines(tmp_path / "s.jsonl", rows)).train_x) == 3


def test_a_data_set_that_draws_its_own_sample_is_refused(make_task, make_cfg, tmp_path):
    make_task("alpha")
    with pytest.raises(
        ConfigError, match=r"DATASET\.SAMPLES names published samples, but the data set 'alpha' draws its own"
    ):
        DataManager(make_cfg(DATASET__NAME="alpha", DATASET__SAMPLES="x.pkl", DATASET__NUM_SHOTS=1))


def test_multi_label_images(tmp_path):
    write_task(tmp_path, "toy", ["red", "blue"])
    (tmp_path / "tasks.json").write_text(
        json.dumps({"format_version": 1, "tasks": {"toy": {"classes": ["red", "blue"]}}})
    )
    task = embedded_task("toy", tmp_path)
    (tmp_path / "task.yaml").write_text(
        f"images: {tmp_path}/toy\nmanifest: m.csv\nmulti_label: true\nclasses: [red, blue]\n"
    )
    items = task(get_cfg_default()).train_x
    lines = [
        f"{item.impath.split('toy/')[1]},{'red;blue' if number % 2 else 'red'},train"
        for number, item in enumerate(items)
    ]
    (tmp_path / "m.csv").write_text("path,label,split\n" + "\n".join(lines))
    cfg = get_cfg_default()
    cfg.merge_from_list(["DATASET.NAME", str(tmp_path / "task.yaml"), "DATASET.NUM_SHOTS", 1, "SEED", 1])
    drawn = build_dataset(cfg)
    (tmp_path / "s.jsonl").write_text(format_sample(drawn.train_x, drawn.val, drawn.dataset_dir))
    cfg.DATASET.SAMPLES = str(tmp_path / "s.jsonl")
    read = build_dataset(cfg)
    assert [item.label for item in read.train_x] == [item.label for item in drawn.train_x]
    assert ends(read.train_x) == ends(drawn.train_x)
