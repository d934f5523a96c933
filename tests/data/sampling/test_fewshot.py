"""Few-shot samples: golden vectors of the benchmarks' own programs, and independence of everything else."""

import json
import random
from collections import Counter
from pathlib import Path

import pytest

from mvlpt.data import Datum, build_dataset
from mvlpt.data.sampling import (
    elevater_sample,
    elevater_split,
    few_shot_indices,
    few_shot_split,
    mvlpt_split,
    select_fewshot,
)
from mvlpt.errors import ConfigError

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "elevater_few_shot.json").read_text())
COOP = json.loads((Path(__file__).parents[1] / "golden" / "coop_few_shot.json").read_text())
LABELS = {name: [tuple(label) for label in rows] for name, rows in GOLDEN["labels"].items()}
CLASSES = GOLDEN["num_classes"]
MULTI = GOLDEN["multitask"]
UNION = [tuple(one + MULTI["class_offsets"][task] for one in label) for task in "ACM" for label in LABELS[task]]


def _named(case):
    return f"{case['data']}-{case.get('shots', '')}-{case['seed']}"


@pytest.mark.parametrize("case", GOLDEN["sample_few_shot_subset"], ids=_named)
def test_elevater_sample_equals_golden(case):
    assert elevater_sample(LABELS[case["data"]], CLASSES[case["data"]], case["shots"], case["seed"]) == case["order"]


@pytest.mark.parametrize("case", GOLDEN["toolkit_20_percent_split_after_sampling"], ids=_named)
def test_elevater_cut_equals_golden(case):
    labels, classes = LABELS[case["data"]], CLASSES[case["data"]]
    order = elevater_sample(labels, classes, case["shots"], case["seed"])
    cut = elevater_split([labels[i] for i in order], classes)
    assert ([order[i] for i in cut.train], [order[i] for i in cut.val]) == (case["train"], case["val"])


@pytest.mark.parametrize("case", GOLDEN["train_val_split"], ids=_named)
def test_mvlpt_cut_equals_golden(case):
    cut = mvlpt_split(LABELS[case["data"]], CLASSES[case["data"]], case["train_ratio"], case["seed"])
    assert (cut.train, cut.val) == (case["train"], case["val"])


@pytest.mark.parametrize("case", MULTI["sample_few_shot_subset"], ids=lambda case: f"{case['shots']}-{case['seed']}")
def test_multitask_sample_equals_golden(case):
    assert elevater_sample(UNION, 9, case["shots"], case["seed"]) == case["order"]


def test_multitask_cut_equals_golden():
    case = MULTI["train_val_split"]
    order = elevater_sample(UNION, 9, 5, 1)
    cut = mvlpt_split([UNION[i] for i in order], 9, case["train_ratio"], case["seed"])
    assert ([order[i] for i in cut.train], [order[i] for i in cut.val]) == (case["train"], case["val"])


@pytest.mark.parametrize("case", COOP["cases"], ids=lambda case: f"{case['shots']}-{case['seed']}")
def test_coop_sample_equals_golden(case):
    train, val = [i % 4 for i in range(40)], [3 * i % 4 for i in range(12)]
    split = few_shot_split(
        [Datum(str(i), label) for i, label in enumerate(train)],
        [Datum(str(i), label) for i, label in enumerate(val)],
        protocol="coop",
        task="t",
        num_classes=4,
        shots=case["shots"],
        seed=case["seed"],
    )
    assert [int(item.impath) for item in split.train] == case["train"]
    assert [int(item.impath) for item in split.val] == case["val"]
    rng = random.Random(case["seed"])
    select_fewshot(train, case["shots"], rng)
    select_fewshot(val, min(case["shots"], 4), rng)
    assert select_fewshot(train, case["shots"], rng) == case["second_dataset_same_labels_train"]


def _items(classes=3, count=30):
    return [Datum(f"{i}.png", i % classes) for i in range(count)]


def _split(protocol="independent", shots=4, seed=1, task="t", train=None, val=None):
    train = _items() if train is None else train
    return few_shot_split(train, val, protocol=protocol, task=task, num_classes=3, shots=shots, seed=seed)


@pytest.mark.parametrize("shots", [1, 2, 4, 9])
def test_independent_takes_shots_of_each_class_and_at_most_four_for_val(shots):
    split = _split(shots=shots, val=_items())
    assert Counter(item.label for item in split.train) == dict.fromkeys(range(3), shots)
    assert Counter(item.label for item in split.val) == dict.fromkeys(range(3), min(shots, 4))
    assert len({item.impath for item in split.train}) == 3 * shots


def test_independent_sample_is_named_by_task_split_shots_and_seed():
    labels = [i % 3 for i in range(60)]

    def draw(task="t", split="train", shots=4, seed=1):
        return few_shot_indices(labels, task=task, split=split, shots=shots, seed=seed)

    assert draw() == draw()
    others = [draw(task="u"), draw(split="val"), draw(seed=2), draw(shots=5)]
    assert all(draw() != other for other in others)
    assert draw(seed=-1) == draw(seed=0)


def test_sample_does_not_touch_or_need_the_global_generator():
    random.seed(3)
    before = random.getstate()
    first = _split()
    assert random.getstate() == before
    random.seed(4)
    assert [item.impath for item in _split().train] == [item.impath for item in first.train]


def test_all_shots_keeps_everything_in_order():
    split = _split(shots=-1, val=_items(count=6))
    assert [item.impath for item in split.train] == [item.impath for item in _items()]
    assert len(split.val) == 6


def test_small_class_gives_all_it_has_and_says_so(caplog):
    labels = [0] * 10 + [1] * 2
    with caplog.at_level("WARNING"):
        chosen = few_shot_indices(labels, task="pets", split="train", shots=4, seed=1)
    assert Counter(labels[i] for i in chosen) == {0: 4, 1: 2}
    assert "pets" in caplog.text
    assert "class 1" in caplog.text
    assert Counter(labels[i] for i in select_fewshot(labels, 4, random.Random(0), repeat=True)) == {0: 4, 1: 4}


def test_multi_label_sample_keeps_classes_even():
    labels = [(i % 3, (i + 1) % 3) for i in range(60)]
    chosen = few_shot_indices(labels, task="voc", split="train", shots=5, seed=1)
    counts = Counter(one for i in chosen for one in labels[i])
    assert all(5 <= counts[one] <= 8 for one in range(3))


def test_elevater_and_mvlpt_cut_val_from_train():
    split = _split("elevater", shots=5, val=_items(count=3))
    assert (len(split.train), len(split.val)) == (12, 3)
    assert not {item.impath for item in split.train} & {item.impath for item in split.val}
    one = _split("elevater", shots=1)
    assert (len(one.train), len(one.val)) == (3, 3)
    assert not {item.impath for item in one.train} & {item.impath for item in one.val}
    same = _split("mvlpt", shots=1)
    assert same.train == same.val
    assert len(same.train) == 3


def test_unknown_protocol_names_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'elevater'"):
        _split("elevator")


def test_sample_of_a_task_is_the_same_alone_among_others_and_in_any_order(make_task, make_cfg):
    from mvlpt.data import DataManager

    for name in ("alpha", "beta", "gamma"):
        make_task(name)

    def sample(names, task):
        manager = DataManager(make_cfg(DATASET__NAME=names, DATASET__NUM_SHOTS=2))
        position = names.split(",").index(task)
        return [item.impath for item in manager.dataset.train_x if item.domain == position]

    alone = [item.impath for item in build_dataset(make_cfg(DATASET__NAME="beta", DATASET__NUM_SHOTS=2)).train_x]
    assert len(alone) == 6
    for names in ("beta,alpha", "alpha,beta", "gamma,alpha,beta", "beta,gamma"):
        assert sample(names, "beta") == alone
