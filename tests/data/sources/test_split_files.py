"""Split files in CoOp's layout: the classes that they name."""

import json

import pytest

from mvlpt.data.sources import read_split
from mvlpt.errors import DataError


def split_file(tmp_path, labels):
    rows = [[f"{label}.png", label, f"class {label}"] for label in labels]
    path = tmp_path / "split_zhou_Own.json"
    path.write_text(json.dumps({"train": rows, "val": [], "test": []}))
    return path


def test_names_come_in_the_order_of_labels(tmp_path):
    _, names = read_split(split_file(tmp_path, [2, 0, 1]), tmp_path)
    assert names == ["class 0", "class 1", "class 2"]


@pytest.mark.parametrize("labels", [[0, 10**9], [0, 2, 3], [5]])
def test_a_class_without_images_is_named_at_once(tmp_path, labels):
    missing = min(set(range(len(labels) + 1)) - set(labels))
    with pytest.raises(DataError, match=f"has no image of class {missing}"):
        read_split(split_file(tmp_path, labels), tmp_path)
