"""COCO-style index files: ranks of category ids, order of image ids, archives, and every complaint."""

import io
import json
import zipfile

import pytest

from mvlpt.data.sources import read_categories, read_coco
from mvlpt.errors import DataError

NAMES = ["cat", "dog", "owl"]


def index(**changes):
    content = {
        "images": [
            {"id": 9, "file_name": "c.png", "zip_file": "a.zip"},
            {"id": 2, "file_name": "b.png", "zip_file": "a.zip"},
            {"id": 5, "file_name": "a.zip@deep/a.png"},
        ],
        "annotations": [
            {"id": 1, "image_id": 9, "category_id": 40},
            {"id": 2, "image_id": 2, "category_id": 7},
            {"id": 3, "image_id": 5, "category_id": 11},
        ],
        "categories": [{"id": 40, "name": "owl"}, {"id": 7, "name": "cat"}, {"id": 11, "name": "dog"}],
    }
    return {**content, **changes}


@pytest.fixture
def folder(tmp_path, png):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for number, name in enumerate(("b.png", "c.png", "deep/a.png")):
            archive.writestr(name, png(number))
    return tmp_path


def write(folder, content):
    path = folder / "train.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_labels_are_ranks_and_images_come_by_id(folder):
    path = write(folder, index())
    items = read_coco(path, NAMES)
    assert [(item.impath.split("@")[1], item.label, item.classname) for item in items] == [
        ("b.png", 0, "cat"),
        ("deep/a.png", 1, "dog"),
        ("c.png", 2, "owl"),
    ]
    assert read_categories(path) == NAMES


def test_several_labels(folder):
    content = index()
    content["annotations"] += [{"id": 4, "image_id": 9, "category_id": 7}, {"id": 5, "image_id": 9, "category_id": 7}]
    content["images"].append({"id": 10, "file_name": "a.zip@b.png"})
    path = write(folder, content)
    assert [item.label for item in read_coco(path, NAMES, multi_label=True)] == [(0,), (1,), (0, 2), ()]
    with pytest.raises(DataError, match="image 9: an image of a single-label data set has one label, this one has 2"):
        read_coco(path, NAMES)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not readable JSON"),
        ("[" * 100_000, "not readable JSON"),
        ([1], "has no list 'images'"),
        (index(images=[{"id": 1}]), "an entry of 'images' has no usable 'file_name'"),
        (index(images=[]), "belongs to the image 9, which is not listed"),
        (index(images=[], annotations=[]), "lists no image"),
        (index(annotations=[{"image_id": 2, "category_id": 8}]), "category 8, outside the 3 categories"),
        (index(annotations=[]), "this one has 0"),
        (index(categories=[{"id": 1, "name": "x"}], annotations=[]), "has 1 categories, but the data set has 3"),
        (index(images=[{"id": 1, "file_name": "x"}] * 2, annotations=[]), "gives two images the same id"),
        (index(images=[{"id": 1, "file_name": "x"}, {"id": "b", "file_name": "y"}]), "mixes numbers and text"),
        (
            index(images=[{"id": 2, "file_name": "../x.png"}], annotations=[{"image_id": 2, "category_id": 7}]),
            "leaves the data set's folder",
        ),
        (
            index(images=[{"id": 2, "file_name": "x.png", "zip_file": "/a.zip"}],
                  annotations=[{"image_id": 2, "category_id": 7}]),
            "leaves the data set's folder",
        ),
        (
            index(images=[{"id": 2, "file_name": "x.png", "zip_file": ["a.zip"]}],
                  annotations=[{"image_id": 2, "category_id": 7}]),
            "must be the name of an archive",
        ),
        (
            index(images=[{"id": 2, "file_name": "no.png", "zip_file": "a.zip"}],
                  annotations=[{"image_id": 2, "category_id": 7}]),
            "has no file 'no.png'",
        ),
    ],
)  # fmt: skip
def test_every_complaint_is_one_sentence_with_the_file(folder, content, message):
    path = write(folder, content)
    with pytest.raises(DataError, match=message) as raised:
        read_coco(path, NAMES)
    assert "\n" not in str(raised.value)
    assert str(path) in str(raised.value)


def test_missing_file_and_missing_archive(folder):
    with pytest.raises(DataError, match="does not exist"):
        read_coco(folder / "gone.json", NAMES)
    path = write(folder, index())
    (folder / "a.zip").unlink()
    with pytest.raises(DataError, match=r"archive .*a\.zip does not exist"):
        read_coco(path, NAMES)


def test_folder_in_place_of_the_archive_will_do(folder):
    content = (folder / "a.zip").read_bytes()
    (folder / "a.zip").unlink()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        archive.extractall(folder / "a")
    assert [item.impath for item in read_coco(write(folder, index()), NAMES)] == [
        f"{folder}/a/{name}" for name in ("b.png", "deep/a.png", "c.png")
    ]
