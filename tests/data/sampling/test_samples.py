"""The paper's joint sample, the merge of the cut-off fifth, and samples kept on disk."""

import json
from collections import Counter
from pathlib import Path

import pytest

from mvlpt.config import check_config
from mvlpt.data import DataManager, DatasetBase, Datum
from mvlpt.data.sampling import few_shot_split, joint_sample, sample_record, save_sample
from mvlpt.errors import ConfigError, DataError

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "elevater_few_shot.json").read_text())
MULTI = GOLDEN["multitask"]


def members():
    """The golden tasks; an image's path is its position in the concatenation."""
    found, start = {}, 0
    for task in "ACM":
        rows = GOLDEN["labels"][task]
        items = [Datum(str(start + i), tuple(labels) if task == "M" else labels[0]) for i, labels in enumerate(rows)]
        data = DatasetBase.__new__(DatasetBase)
        data.name, data.multi_label = task, task == "M"
        data.__init__(train_x=items, classnames=[f"{task}{i}" for i in range(GOLDEN["num_classes"][task])])
        found[task] = data
        start += len(rows)
    return found


def positions(tasks, split):
    return {task.name: [int(item.impath) for item in getattr(task, split)] for task in tasks}


def by_task(order):
    starts = {"A": (0, 40), "C": (40, 52), "M": (52, 82)}
    return {task: [i for i in order if low <= i < high] for task, (low, high) in starts.items()}


def test_joint_cut_equals_golden_whatever_the_order_of_the_names():
    case = MULTI["train_val_split"]
    tasks = members()
    for order in ("ACM", "MCA", "CMA"):
        drawn = joint_sample([tasks[name] for name in order], 5, 1)
        assert [task.name for task in drawn] == list(order)
        assert positions(drawn, "train_x") == by_task(case["train"])
        assert positions(drawn, "val") == by_task(case["val"])
    assert len(tasks["A"].train_x) == 40  # the members given are left as they are


@pytest.mark.parametrize("case", MULTI["sample_few_shot_subset"], ids=lambda case: f"{case['shots']}-{case['seed']}")
def test_joint_sample_equals_golden(case):
    drawn = joint_sample(list(members().values()), case["shots"], case["seed"], merge_val=True)
    assert positions(drawn, "train_x") == by_task(case["order"])
    assert not any(task.val for task in drawn)


def test_classes_with_fewer_images_than_shots_are_named(caplog):
    joint_sample([members()["C"]], 50, 1)
    assert "C: 2 of 2 classes have fewer than 50 train images (C0, C1)" in caplog.text


def test_mvlpt_protocol_samples_several_tasks_together_and_one_alone(make_task, make_cfg):
    for name in ("alpha", "beta"):
        make_task(name, per_class=10)

    def drawn(names, shots=5):
        manager = DataManager(make_cfg(DATASET__NAME=names, DATASET__NUM_SHOTS=shots, DATASET__SAMPLING="mvlpt"))
        return manager, {item.impath for item in manager.dataset.train_x if "beta" in item.impath}

    manager, together = drawn("beta,alpha")
    assert [task.name for task in manager.tasks] == ["beta", "alpha"]
    assert drawn("alpha,beta")[1] == together
    assert Counter(item.label for item in manager.dataset.train_x) == dict.fromkeys(range(6), 4)
    assert Counter(item.label for item in manager.dataset.val) == dict.fromkeys(range(6), 1)
    one_shot, _ = drawn("alpha,beta", shots=1)
    assert one_shot.val_loader is None  # the rule leaves no val at one shot, and nothing takes its place


def test_merge_gives_the_fifth_back_but_not_at_one_shot(make_cfg):
    items = [Datum(f"{i}.png", i % 3) for i in range(30)]

    def split(shots, merge, protocol="elevater"):
        found = few_shot_split(items, None, protocol=protocol, task="t", num_classes=3, shots=shots, seed=1,
                               merge_val=merge)  # fmt: skip
        return [item.impath for item in found.train], [item.impath for item in found.val]

    cut, merged = split(5, False), split(5, True)
    assert sorted(cut[0] + cut[1]) == sorted(merged[0])
    assert (len(cut[1]), merged[1]) == (3, [])
    assert split(1, True) == split(1, False)
    with pytest.raises(ConfigError, match="SAMPLING is 'coop'"):
        split(5, True, "coop")
    with pytest.raises(ConfigError, match=r"MERGE_VAL needs DATASET\.SAMPLING"):
        check_config(make_cfg(DATASET__MERGE_VAL=True))


def sample(names=("a", "b"), seed=1):
    items = [Datum(f"/data/pets/images.zip@{name}/1.png", label) for label, name in enumerate(names)]
    return sample_record(items, items[:1], root="/data/pets", task="pets", protocol="coop", shots=1, seed=seed)


def test_sample_file_is_readable_relative_and_stable(tmp_path):
    path = save_sample(tmp_path / "samples", "pets/of mine", sample())
    assert path.name == "pets_of_mine.json"
    content = json.loads(path.read_text())
    assert content["train"] == [["images.zip@a/1.png", 0], ["images.zip@b/1.png", 1]]
    assert (content["task"], content["protocol"], content["shots"], content["seed"]) == ("pets", "coop", 1, 1)
    assert '\n  ["images.zip@b/1.png", 1]\n' in path.read_text()
    before = path.stat().st_mtime_ns
    assert save_sample(tmp_path / "samples", "pets/of mine", sample()) == path
    assert path.stat().st_mtime_ns == before


def test_sample_file_that_differs_is_an_error_that_says_how(tmp_path):
    path = save_sample(tmp_path, "pets", sample())
    with pytest.raises(DataError, match=r"another train sample \(2 images, 2 drawn now, first .*c/1\.png"):
        save_sample(tmp_path, "pets", sample(("a", "c")))
    with pytest.raises(DataError, match="a sample with seed 1 instead of 2"):
        save_sample(tmp_path, "pets", sample(seed=2))
    path.write_text(path.read_text().replace("b/1.png", "z/1.png"))
    with pytest.raises(DataError, match="does not match its own hash: it was edited"):
        save_sample(tmp_path, "pets", sample())
    path.write_text("[1]")
    with pytest.raises(DataError, match="holds a list instead of a sample"):
        save_sample(tmp_path, "pets", sample())


def test_manager_keeps_the_samples_of_every_task(make_task, make_cfg, tmp_path):
    for name in ("alpha", "beta"):
        make_task(name)
    options = {"DATASET__NAME": "alpha,beta", "DATASET__SAMPLES_DIR": str(tmp_path / "samples")}
    DataManager(make_cfg(**options))
    assert not (tmp_path / "samples").exists()  # all images: nothing to keep
    DataManager(make_cfg(**options, DATASET__NUM_SHOTS=2))
    names = sorted(path.name for path in (tmp_path / "samples").iterdir())
    assert names == [f"{task}-independent-shots2-seed1.json" for task in ("alpha", "beta")]
    DataManager(make_cfg(**options, DATASET__NUM_SHOTS=2))
    DataManager(make_cfg(**options, DATASET__NUM_SHOTS=2, DATASET__SAMPLING="mvlpt"))
    assert len(list((tmp_path / "samples").iterdir())) == 4
    alone = {**options, "DATASET__NAME": "alpha"}
    DataManager(make_cfg(**alone, DATASET__NUM_SHOTS=2, DATASET__SAMPLING="mvlpt"))
    assert len(list((tmp_path / "samples").iterdir())) == 5
