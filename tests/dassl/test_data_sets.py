"""Data-set files of CoOp's kind: the samples that Dassl draws, kept pickles, class halves, domains."""

import pickle
import random
import sys

import pytest
from support.dassl_repositories import DATASET

from mvlpt.config import get_cfg_default
from mvlpt.dassl import load_plugin
from mvlpt.data import DATASET_REGISTRY, Datum
from mvlpt.data.datasets import build_dataset


@pytest.fixture
def build(colours, tmp_path):
    file = tmp_path / "colour_data.py"
    file.write_text(DATASET.replace("NAME", "Colours"))
    load_plugin(file)

    def make(shots, seed=1):
        cfg = get_cfg_default()
        cfg.merge_from_list(["DATASET.ROOT", str(colours), "DATASET.NUM_SHOTS", shots, "SEED", seed])
        return build_dataset(cfg, "Colours")

    return make


def test_the_sample_is_the_one_that_dassl_draws(build, colours):
    data = build(2)
    names = {label: [f"{number}.png" for number in range(8)] for label in ("dark", "light")}
    stream = random.Random(1)
    expected = [stream.sample(names[label][:4], 2) for label in names]
    drawn = [item.impath.rsplit("/", 1)[1] for item in data.train_x]
    assert drawn == expected[0] + expected[1]
    expected = [stream.sample(names[label][4:6], 2) for label in names]
    assert [item.impath.rsplit("/", 1)[1] for item in data.val] == expected[0] + expected[1]


def test_kept_samples_name_dassls_classes_and_are_read_again(build, colours):
    first = build(2)
    kept = (colours / "colours" / "shot_2-seed_1.pkl").read_bytes()
    assert b"dassl.data.datasets.base_dataset" in kept
    assert b"mvlpt" not in kept
    random.seed(7)
    again = build(2)
    assert [item.impath for item in again.train_x] == [item.impath for item in first.train_x]
    assert type(again.train_x[0]) is Datum


def test_an_item_pickles_as_ours_where_nobody_reads_it_for_dassl(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "dassl"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(Datum, "__module__", "mvlpt.data.datum")
    item = pickle.loads(pickle.dumps(Datum("a.png", (1, 2), 3, "cat")))
    assert (item.impath, item.label, item.domain, item.classname) == ("a.png", (1, 2), 3, "cat")


def test_the_registered_class_is_the_plugins(build):
    assert DATASET_REGISTRY.get("Colours").__name__ == "Colours"
    assert build(-1).num_classes == 2
