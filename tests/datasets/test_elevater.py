"""ELEVATER's 20 tasks in miniature: every layout and source, labels in the benchmark's order, one step of training."""

import logging
import zipfile
from collections import Counter

import pytest
from support.mini_tasks import PER_CLASS, some_labels, write_class_folders, write_official
from support.mini_torchvision import LAYOUTS, write_torchvision

import mvlpt.datasets  # noqa: F401  (registers the tasks)
from mvlpt.config import get_cfg_default
from mvlpt.data import DATASET_REGISTRY, build_dataset, labels_of, read_image
from mvlpt.data.sources import known_tasks, prompt_metadata, task_metadata
from mvlpt.errors import ConfigError, DataError, UnknownNameError

NAMES = [metadata.name for metadata in known_tasks("elevater")]


def make_cfg(root, **options):
    cfg = get_cfg_default()
    cfg.SEED, cfg.VERBOSE, cfg.DATASET.ROOT = 1, False, str(root)
    for key, value in options.items():
        cfg.DATASET[key] = value
    cfg.freeze()
    return cfg


def build(root, name, **options):
    return build_dataset(make_cfg(root, **options), name)


@pytest.mark.parametrize("name", NAMES)
def test_official_layout(tmp_path, name):
    write_official(tmp_path, name)
    data, metadata = build(tmp_path, name), task_metadata(name)
    assert (data.name, data.source, data.split_origin) == (name, "official", "official")
    assert (data.metric, data.multi_label, data.num_classes) == (
        metadata.metric,
        metadata.multi_label,
        metadata.num_classes,
    )
    assert data.classnames == list(prompt_metadata(name).classnames)
    assert data.transparency == "drop"  # as the benchmark reads images
    assert data.templates == prompt_metadata(name).templates
    for split, items in (("train", data.train_x), ("val", data.val), ("test", data.test)):
        count = PER_CLASS[split] * len(some_labels(metadata.num_classes)) + 2 * metadata.multi_label
        assert len(items) == (count if split in metadata.splits else 0)
        assert {label for item in items for label in labels_of(item)} <= set(some_labels(metadata.num_classes))
        if items:
            assert read_image(items[-1].impath).size == (12, 10)


@pytest.mark.parametrize("name", ["gtsrb", "resisc45_clip", "voc-2007-classification"])
def test_unpacked_archives_give_the_same_items(tmp_path, name):
    write_official(tmp_path / "zipped", name)
    write_official(tmp_path / "unpacked", name, unpack=True)
    zipped, unpacked = build(tmp_path / "zipped", name), build(tmp_path / "unpacked", name)
    assert [item.label for item in zipped.train_x] == [item.label for item in unpacked.train_x]
    first = zipped.test[0].impath, unpacked.test[0].impath
    assert "@" in first[0]
    assert "@" not in first[1]
    assert read_image(first[0]).tobytes() == read_image(first[1]).tobytes()


def test_root_may_be_the_folder_of_the_tasks_itself(tmp_path):
    write_official(tmp_path, "mnist")
    assert build(tmp_path / "classification", "mnist").source == "official"


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_torchvision_layout(tmp_path, name, monkeypatch):
    if name == "patch-camelyon":
        pytest.importorskip("h5py")
    expected = write_torchvision(tmp_path, name, monkeypatch)
    data, source = build(tmp_path, name), task_metadata(name).torchvision
    assert data.source == "torchvision"
    assert data.split_origin == ("torchvision" if source.differs else "official")
    assert data.classnames == list(prompt_metadata(name).classnames)
    if "all" in source.arguments:  # cut by rule: nothing lost, nothing twice
        items = [*data.train_x, *data.val, *data.test]
        assert Counter(item.label for item in items) == Counter(expected)
        assert len({item.impath for item in items}) == len(expected)
        assert len(data.train_x) > 0
        assert len(data.test) > 0
    else:
        assert [item.label for item in data.train_x] == expected
        assert bool(data.val) == ("val" in source.arguments)
    image = read_image(data.test[0].impath)
    assert image.mode == "RGB"
    assert image.size in ((12, 10), (28, 28), (32, 32), (48, 48), (96, 96))


def test_torchvision_results_are_marked_where_the_split_is_another(tmp_path, monkeypatch, caplog):
    write_torchvision(tmp_path, "eurosat_clip", monkeypatch)
    with caplog.at_level(logging.WARNING):
        data = build(tmp_path, "eurosat_clip")
    assert "has no split" in caplog.text
    assert data.split_origin == "torchvision"
    again = build(tmp_path, "eurosat_clip")
    assert [item.impath for item in again.test] == [item.impath for item in data.test]


@pytest.mark.parametrize("name", ["food-101", "kitti-distance", "stanford-cars"])
def test_class_folders(tmp_path, name):
    names = list(prompt_metadata(name).classnames)
    folders = [str(i) for i in range(len(names))] if name == "kitti-distance" else [n.replace(" ", "_") for n in names]
    chosen = some_labels(len(names))
    write_class_folders(tmp_path / name, [folders[label] for label in chosen])
    data = build(tmp_path, name)
    assert (data.source, data.split_origin) == ("folder", "folder")
    assert Counter(item.label for item in data.train_x) == dict.fromkeys(chosen, PER_CLASS["train"])


def test_class_folders_without_splits_are_cut_in_the_benchmark_s_shares(tmp_path):
    write_class_folders(tmp_path / "resisc45_clip", ["baseball_diamond", "wetland"], ())
    data = build(tmp_path, "resisc45_clip")
    assert (data.source, data.split_origin) == ("folder", "rule")
    assert [len(items) for items in (data.train_x, data.val, data.test)] == [2, 2, 16]


def test_sources_are_tried_in_order_and_can_be_chosen(tmp_path, monkeypatch):
    write_class_folders(tmp_path / "mnist", ["0", "5"])
    assert build(tmp_path, "mnist").source == "folder"
    write_torchvision(tmp_path, "mnist", monkeypatch)
    assert build(tmp_path, "mnist").source == "torchvision"
    write_official(tmp_path, "mnist")
    assert build(tmp_path, "mnist").source == "official"
    for source in ("official", "torchvision", "folder"):
        assert build(tmp_path, "mnist", SOURCE=source).source == source
    with pytest.raises(ConfigError, match="did you mean 'official'"):
        build(tmp_path, "mnist", SOURCE="oficial")


def test_aliases_are_canonical_in_results_and_ambiguous_names_are_refused(tmp_path):
    write_official(tmp_path, "dtd")
    assert build(tmp_path, "DTD").name == "dtd"
    assert "DTD" in DATASET_REGISTRY
    assert "DTD" not in DATASET_REGISTRY.registered_names()
    with pytest.raises(UnknownNameError, match="write 'Caltech101' or 'caltech-101'"):
        DATASET_REGISTRY.get("caltech101")
    assert DATASET_REGISTRY.get("Caltech101").metadata.num_classes == 100
    assert DATASET_REGISTRY.get("caltech-101").metadata.num_classes == 102
    with pytest.raises(UnknownNameError, match="did you mean 'gtsrb'"):
        DATASET_REGISTRY.get("gtsbr")


@pytest.mark.parametrize("name", NAMES)
def test_missing_data_names_paths_and_remedy(tmp_path, name):
    with pytest.raises(DataError) as raised:
        build(tmp_path, name)
    message = str(raised.value)
    assert str(tmp_path / "classification" / task_metadata(name).folder) in message
    assert f"mvlpt tasks download {name}" in message


@pytest.mark.parametrize("part", ["train.txt", "train.zip", "labels.txt", "test.txt", "val.zip"])
def test_missing_part_of_the_official_layout_is_named(tmp_path, part):
    folder = write_official(tmp_path, "mnist")
    (folder / part).unlink()
    with pytest.raises(DataError, match=rf"{part} does not exist\. To get it: mvlpt tasks download mnist"):
        build(tmp_path, "mnist")


@pytest.mark.parametrize("part", ["val.zip", "val.txt"])
def test_missing_val_split_is_only_a_warning(tmp_path, caplog, part):
    folder = write_official(tmp_path, "gtsrb")
    (folder / part).unlink()
    with caplog.at_level(logging.WARNING):
        assert build(tmp_path, "gtsrb").val == []
    assert f"{part} does not exist; there are no val images" in caplog.text


def test_archives_may_be_unpacked_where_they_lie(tmp_path):
    folder = write_official(tmp_path, "gtsrb")
    zipped = build(tmp_path, "gtsrb")
    for archive in list(folder.glob("*.zip")):
        with zipfile.ZipFile(archive) as content:
            content.extractall(folder)
        archive.unlink()
    unpacked = build(tmp_path, "gtsrb")
    for before, after in ((zipped.train_x, unpacked.train_x), (zipped.val, unpacked.val), (zipped.test, unpacked.test)):
        assert [item.label for item in after] == [item.label for item in before]
        assert [item.impath for item in after] == [f"{folder}/{item.impath.split('@')[1]}" for item in before]


def test_truncated_zip_and_wrong_label_file(tmp_path):
    folder = write_official(tmp_path, "dtd")
    content = (folder / "test.zip").read_bytes()
    (folder / "test.zip").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"test\.zip cannot be opened, it may be truncated"):
        build(tmp_path, "dtd")
    (folder / "labels.txt").write_text("banded\nblotchy\n")
    with pytest.raises(DataError, match=r"labels\.txt names 2 classes, but 'dtd' has 47"):
        build(tmp_path, "dtd")


def test_class_names_in_another_order_are_reported(tmp_path, caplog):
    folder = write_official(tmp_path, "cifar-10")
    names = prompt_metadata("cifar-10").classnames
    (folder / "labels.txt").write_text("\n".join(reversed(names)))
    with caplog.at_level(logging.WARNING):
        assert build(tmp_path, "cifar-10").classnames == list(names)
    assert "another order" in caplog.text


def test_torchvision_complaints_name_file_and_remedy(tmp_path, monkeypatch):
    write_torchvision(tmp_path, "stanford-cars", monkeypatch)
    (tmp_path / "stanford_cars" / "cars_test" / "00002.jpg").unlink()
    with pytest.raises(DataError, match=r"00002\.jpg does not exist.*mirror"):
        build(tmp_path, "stanford-cars")
    (tmp_path / "stanford_cars" / "cars_test_annos_withlabels.mat").unlink()
    with pytest.raises(DataError, match="torchvision cannot read StanfordCars"):
        build(tmp_path, "stanford-cars")
    write_torchvision(tmp_path, "cifar-10", monkeypatch)
    (tmp_path / "cifar-10-batches-py" / "test_batch").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    with pytest.raises(DataError, match=r"not found or corrupted.*download cifar-10"):
        build(tmp_path, "cifar-10")  # the checksum is wrong, so the pickle is never opened


def test_paths_in_torchvision_s_index_files_stay_inside(tmp_path, monkeypatch):
    write_torchvision(tmp_path / "data", "gtsrb", monkeypatch)
    index = tmp_path / "data" / "gtsrb" / "GT-final_test.csv"
    for escape in ("../../../../../secret.ppm", "/etc/hostname"):
        index.write_text(f"Filename;ClassId\n{escape};7\n")
        with pytest.raises(DataError, match="leaves the folder"):
            build(tmp_path / "data", "gtsrb")


def test_root_may_be_relative(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("gtsrb", "mnist"):
        write_torchvision(tmp_path, name, monkeypatch)
        for root in (".", ""):
            assert read_image(build(root, name).test[0].impath).mode == "RGB"


def test_test_split_of_fer_without_labels(tmp_path, monkeypatch):
    from torchvision import datasets

    write_torchvision(tmp_path, "fer-2013", monkeypatch)
    folder = tmp_path / "fer2013"
    (folder / "fer2013.csv").rename(folder / "train.csv")
    (folder / "test.csv").write_text("pixels\n" + " ".join(["9"] * 48 * 48) + "\n")
    files = {"train": "train.csv", "test": "test.csv", "fer": "fer2013.csv", "icml": "icml_face_data.csv"}
    monkeypatch.setattr(datasets.FER2013, "_RESOURCES", {key: (name, None) for key, name in files.items()})
    with pytest.raises(DataError, match=r"test\.csv has no labels; put fer2013\.csv"):
        build(tmp_path, "fer-2013")
