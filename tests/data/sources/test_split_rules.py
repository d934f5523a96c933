"""Splits by rule: nothing lost, nothing twice, CoOp's rounding, and no dependence on order, place or other classes."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mvlpt.data import Datum
from mvlpt.data.images import image_suffixes
from mvlpt.data.sources import (
    COOP_SHARES,
    DEFAULT_SHARES,
    benchmark_shares,
    fill_splits,
    image_files,
    looks_like_split,
    match_by_name,
    read_class_folders,
    split_by_shares,
    split_folders,
)
from mvlpt.errors import DataError


def items_of(counts, root="/data"):
    return [Datum(f"{root}/{label}/{i}.jpg", label) for label, count in enumerate(counts) for i in range(count)]


def paths(splits, root="/data"):
    return {split: [item.impath.removeprefix(root) for item in items] for split, items in splits.items()}


@given(st.lists(st.integers(0, 30), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_every_image_is_in_one_split_whatever_the_order(counts, rng):
    items = items_of(counts)
    splits = split_by_shares(items, DEFAULT_SHARES, task="t")
    assert Counter(item.impath for part in splits.values() for item in part) == Counter(i.impath for i in items)
    trained = {item.label for item in splits["train"]}
    assert trained == {label for label, count in enumerate(counts) if count}
    rng.shuffle(items)
    assert paths(split_by_shares(items, DEFAULT_SHARES, task="t")) == paths(splits)
    elsewhere = split_by_shares(items_of(counts, "/else/where"), DEFAULT_SHARES, task="t")
    assert paths(elsewhere, "/else/where") == paths(splits)


@pytest.mark.parametrize("count", range(4, 60))
def test_coop_s_sizes(count):
    splits = split_by_shares(items_of([count]), COOP_SHARES, task="t", rest="test")
    train, val = round(count * 0.5), round(count * 0.2)
    assert [len(splits[split]) for split in ("train", "val", "test")] == [train, val, count - train - val]


def test_a_class_does_not_depend_on_other_classes_but_on_the_task():
    alone = split_by_shares(items_of([20]), DEFAULT_SHARES, task="t")
    among = split_by_shares(items_of([20, 20]), DEFAULT_SHARES, task="t")
    assert [i.impath for i in among["test"] if i.label == 0] == [i.impath for i in alone["test"]]
    assert paths(split_by_shares(items_of([20]), DEFAULT_SHARES, task="u")) != paths(alone)


def test_only_missing_splits_are_made():
    items = items_of([10])
    given = {"train": items[:8], "test": items[8:]}
    filled = fill_splits(given, DEFAULT_SHARES, task="t")
    assert filled["test"] == items[8:]
    assert (len(filled["train"]), len(filled["val"])) == (6, 2)
    assert len(fill_splits({"train": items, "val": []}, DEFAULT_SHARES, task="t")["val"]) == 0
    assert fill_splits({"test": items}, DEFAULT_SHARES, task="t")["train"] == []
    assert benchmark_shares({"train": 60, "val": 0, "test": 20}) == {"test": 0.25}


@pytest.mark.parametrize("shares", [{"test": 1.0}, {"val": 0.6, "test": 0.4}, {"val": -0.1}])
def test_shares_that_leave_nothing_are_refused(shares):
    with pytest.raises(DataError, match="must add up to less than 1"):
        split_by_shares(items_of([4]), shares, task="t")


def test_folders_are_read_sorted_without_hidden_files_and_other_kinds(tmp_path, png):
    for name in ("b/2.PNG", "b/10.png", "a/deep/1.png", "a/.hidden.png", "a/notes.txt", ".git/x.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(1))
    items = read_class_folders(tmp_path, {"a": 1, "b": 0}, ["bee", "ant"])
    assert [(i.impath.removeprefix(f"{tmp_path}/"), i.label, i.classname) for i in items] == [
        ("b/10.png", 0, "bee"),
        ("b/2.PNG", 0, "bee"),
        ("a/deep/1.png", 1, "ant"),
    ]
    assert image_files(tmp_path / "a", any_suffix=True) == ["deep/1.png", "notes.txt"]
    with pytest.raises(DataError, match="belongs to none of the 2 classes"):
        read_class_folders(tmp_path, {"a": 0}, ["ant", "bee"])
    (tmp_path / "val").mkdir()
    (tmp_path / "valid").mkdir()
    with pytest.raises(DataError, match="two folders for the val split, val and valid; move the images into one"):
        split_folders(tmp_path)


def test_matching_by_name():
    assert match_by_name(["F-16A/B", "ram_c_v"], ["Ram C V", "F-16A-B", "other"], "x") == {"F-16A/B": 1, "ram_c_v": 0}
    with pytest.raises(DataError, match="x: 'owl' is none of the 1 class names"):
        match_by_name(["owl"], ["crow"], "x")
    with pytest.raises(DataError, match="and another name match the same class"):
        match_by_name(["crow", "Crow"], ["crow"], "x")
    assert match_by_name(["Crow!", "crow"], ["crow", "Crow!"], "x") == {"Crow!": 1, "crow": 0}
    with pytest.raises(DataError, match="'CROW' is too similar to both 'crow' and 'Crow!'"):
        match_by_name(["CROW"], ["crow", "Crow!"], "x")


@pytest.mark.parametrize(
    ("name", "expected"),
    [("train", "train"), ("Test", "test"), ("VAL_images", "val"), ("training set", "train"), ("images-train", "train"),
     ("test1", "test"), ("eval", "test"), ("01_train", "train"), ("Raw Test Data 2", "test"), ("trainval", "train"),
     ("holdout", "test"), ("datasets" * 20 + "test", "test"), ("datasets" * 31 + "x", ""),
     ("trains", ""), ("testament", ""), ("crow", ""), ("valley", ""), ("images", "")],
)  # fmt: skip
def test_names_of_splits_are_recognised(name, expected):
    assert looks_like_split(name) == expected


def test_every_format_that_pillow_decodes_is_an_image():
    suffixes = image_suffixes()
    assert {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".jp2", ".ppm"} <= suffixes
    assert not suffixes & {".eps", ".pdf", ".h5", ".grib", ".mpg", ".txt", ".npy"}
    assert (".avif" in suffixes) == (".avif" in Image.registered_extensions())
