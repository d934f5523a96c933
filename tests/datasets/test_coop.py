"""CoOp's data sets and ImageNet's shifted versions in miniature: split files, raw files, base and new classes."""

import json
from collections import Counter

import pytest
from support.mini_coop import CLASSES, WORDNET, write_raw, write_split_file

import mvlpt.datasets  # noqa: F401  (registers the tasks)
from mvlpt.config import get_cfg_default
from mvlpt.data import build_dataset, read_image
from mvlpt.data.sources import known_tasks, task_metadata
from mvlpt.errors import DataError

TASKS = known_tasks("coop")
WITH_SPLIT_FILE = [metadata.name for metadata in TASKS if metadata.split_file]
VARIANTS = [metadata.name for metadata in TASKS if metadata.test_only]
# Class names in label order, and the sizes of train, val and test, as the rules give them on the small raw data.
BUILT = {
    "Caltech101": (["face", "airplane"], (10, 4, 6)),
    "OxfordPets": (["abyssinian", "great_pyrenees"], (16, 4, 4)),
    "StanfordCars": (["2000 AM General Hummer SUV", "2012 Audi S4 Sedan"], (8, 2, 10)),
    "OxfordFlowers": (["pink primrose", "bird of paradise"], (10, 4, 6)),
    "Food101": (list(CLASSES), (15, 6, 9)),
    "SUN397": (["abbey", "outdoor athletic_field"], (16, 4, 4)),
    "DescribableTextures": (list(CLASSES), (15, 6, 9)),
    "EuroSAT": (["Annual Crop Land", "River", "Sea or Lake"], (15, 6, 9)),
    "UCF101": (["Apply_Eye_Makeup", "Yo_Yo"], (16, 4, 4)),
}


def build(root, name, **options):
    cfg = get_cfg_default()
    cfg.SEED, cfg.VERBOSE, cfg.DATASET.ROOT = 1, False, str(root)
    for key, value in options.items():
        cfg.DATASET[key] = value
    cfg.freeze()
    return build_dataset(cfg, name)


def sizes(data):
    return tuple(len(items) for items in (data.train_x, data.val, data.test))


@pytest.mark.parametrize("name", WITH_SPLIT_FILE)
def test_split_file(tmp_path, name):
    write_split_file(tmp_path, name)
    data = build(tmp_path, name)
    assert (data.name, data.source, data.split_origin, sizes(data)) == (name, "split file", "official", (9, 6, 6))
    assert data.classnames == list(CLASSES)
    assert data.templates == tuple(task_metadata(name).extra["templates"])
    assert read_image(data.test[-1].impath).size == (12, 10)


@pytest.mark.parametrize("name", WITH_SPLIT_FILE)
def test_split_is_built_by_the_same_rules_and_kept_as_json(tmp_path, name):
    folder = write_raw(tmp_path, name)
    data = build(tmp_path, name)
    assert (data.classnames, sizes(data)) == BUILT[name]
    assert (data.source, data.split_origin) == ("built", "rule")
    assert all(read_image(item.impath).size == (12, 10) for item in data.test)
    assert len({item.impath for item in (*data.train_x, *data.val, *data.test)}) == sum(sizes(data))
    kept = folder / f"split_mvlpt_{name}.json"
    content = json.loads(kept.read_text())
    assert "stream" in content["rule"]
    assert not any(path.startswith("/") for path, _, _ in content["train"])
    again = build(tmp_path, name)
    assert [item.impath for item in again.test] == [item.impath for item in data.test]
    kept.write_text(json.dumps({**content, "val": [["gone.jpg", 0, data.classnames[0]]]}))
    with pytest.raises(DataError, match=rf"does not exist; delete {kept} to make the split again"):
        build(tmp_path, name)
    kept.unlink()
    anew = build(tmp_path, name)  # without the file the same rule gives the same split
    assert [item.impath for item in anew.train_x] == [item.impath for item in data.train_x]


def test_split_does_not_depend_on_seed_or_place(tmp_path):
    for place in ("one", "two"):
        write_raw(tmp_path / place, "EuroSAT")
    first, second = (build(tmp_path / place, "EuroSAT") for place in ("one", "two"))
    cut = [[item.impath.split("2750/")[1] for item in data.test] for data in (first, second)]
    assert cut[0] == cut[1]


def test_read_only_folder_is_no_obstacle(tmp_path, monkeypatch, caplog):
    import os

    write_raw(tmp_path, "EuroSAT")
    real = os.open

    def refuse(path, *args, **kwargs):
        if "split_mvlpt" in str(path):
            raise PermissionError(13, "Permission denied")
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", refuse)
    assert sizes(build(tmp_path, "EuroSAT")) == (15, 6, 9)
    assert "Permission denied" in caplog.text


def test_aircraft_has_its_own_three_lists(tmp_path):
    write_raw(tmp_path, "FGVCAircraft")
    data = build(tmp_path, "FGVCAircraft")
    assert (data.source, data.split_origin, sizes(data)) == ("lists", "official", (6, 6, 6))
    assert data.classnames == ["707-320", "F-16A/B"]


def test_imagenet(tmp_path):
    write_raw(tmp_path, "ImageNet")
    data = build(tmp_path, "ImageNet", NUM_SHOTS=2)
    assert sizes(data) == (6, 0, 6)  # the test images do not serve for validation
    assert data.classnames == list(WORDNET.values())
    new = build(tmp_path, "ImageNet", SUBSAMPLE_CLASSES="new")
    assert new.classnames == ["sports car"]
    (tmp_path / "imagenet" / "classnames.txt").unlink()
    assert build(tmp_path, "ImageNet").classnames == ["tench", "tabby cat", "sports car"]


@pytest.mark.parametrize("name", VARIANTS)
def test_shifted_test_sets(tmp_path, name):
    write_raw(tmp_path, name)
    data = build(tmp_path, name, NUM_SHOTS=4, SUBSAMPLE_CLASSES="base")
    assert data.train_x == []
    assert data.classnames == list(WORDNET.values())
    assert Counter(item.label for item in data.test) == dict.fromkeys(range(3), 1 if name == "ImageNetV2" else 2)


def test_base_and_new_classes_share_nothing_and_number_from_zero(tmp_path):
    write_split_file(tmp_path, "SUN397")
    base, new = (build(tmp_path, "SUN397", SUBSAMPLE_CLASSES=half, NUM_SHOTS=2) for half in ("base", "new"))
    whole = build(tmp_path, "SUN397", NUM_SHOTS=2)
    assert base.classnames + new.classnames == whole.classnames == list(CLASSES)
    assert sorted({item.label for item in new.test}) == [0]
    drawn = {item.impath for item in (*base.train_x, *new.train_x)}
    assert drawn == {item.impath for item in whole.train_x}  # the sample comes first, then the half


def test_coop_protocol_takes_four_for_validation(tmp_path):
    write_raw(tmp_path, "EuroSAT")
    data = build(tmp_path, "EuroSAT", NUM_SHOTS=3, SAMPLING="coop")
    assert sizes(data) == (9, 6, 9)


@pytest.mark.parametrize("metadata", TASKS, ids=lambda metadata: metadata.name)
def test_missing_data_names_the_path_and_the_remedy(tmp_path, metadata):
    with pytest.raises(DataError) as raised:
        build(tmp_path, metadata.name)
    assert str(tmp_path / metadata.folder) in str(raised.value)
    assert f"mvlpt tasks download {metadata.name}" in str(raised.value)


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("OxfordPets", "annotations/trainval.txt"),
        ("StanfordCars", "devkit/cars_meta.mat"),
        ("OxfordFlowers", "cat_to_name.json"),
        ("SUN397", "ClassName.txt"),
        ("UCF101", "ucfTrainTestlist/classInd.txt"),
        ("FGVCAircraft", "variants.txt"),
        ("OxfordFlowers", "jpg/image_00003.jpg"),
    ],
)
def test_missing_raw_file_is_named(tmp_path, name, part):
    folder = write_raw(tmp_path, name)
    (folder / part).unlink()
    with pytest.raises(DataError) as raised:
        build(tmp_path, name)
    split, said = task_metadata(name).split_file, str(raised.value)
    if part.endswith(".jpg"):
        assert f"{folder / part} in train, but the file does not exist. " in said
    else:
        needed = f" (needed because there is no {folder / split})" if split else ""
        assert f"{folder / part} does not exist{needed}. " in said
    assert f"mvlpt tasks download {name}" in said
    assert not list(folder.glob("split_mvlpt_*"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not readable JSON"),
        ('{"train": []}', "lists no training image|has no list 'val'"),
        ('{"train": [["../x.jpg", 0, "a"]], "val": [], "test": []}', "leaves the data set's folder"),
        ('{"train": [["/etc/x.jpg", 0, "a"]], "val": [], "test": []}', "leaves the data set's folder"),
        ('{"train": [["x.jpg", -1, "a"]], "val": [], "test": []}', r"should be \[path, label, class name\]"),
        ('{"train": [["x.jpg", 1, "a"]], "val": [], "test": []}', "no image of class 0"),
        ('{"train": [["x.jpg", 0, "a"], ["y.jpg", 0, "b"]], "val": [], "test": []}', "is named 'b' here, but 'a'"),
        ('{"train": [["x.jpg", 0, "a"]], "val": [], "test": []}', r"the file does not exist\. Unpack SUN397"),
    ],
)
def test_bad_split_file_is_refused(tmp_path, content, message):
    folder = tmp_path / "sun397"
    folder.mkdir()
    (folder / "split_zhou_SUN397.json").write_text(content)
    with pytest.raises(DataError, match=message):
        build(tmp_path, "SUN397")


def test_lists_that_name_unknown_classes_are_refused(tmp_path):
    folder = write_raw(tmp_path, "SUN397")
    (folder / "Testing_01.txt").write_text("/z/zoo/sun_1.jpg\n")
    with pytest.raises(DataError, match="do not have the expected format"):
        build(tmp_path, "SUN397")
    folder = write_raw(tmp_path, "OxfordFlowers")
    (folder / "imagelabels.mat").write_bytes(b"not matlab at all")
    with pytest.raises(DataError, match=r"imagelabels\.mat cannot be read as MATLAB data"):
        build(tmp_path, "OxfordFlowers")
