"""The table of tasks against the benchmark's totals, its two namespaces, and what ``locate`` finds."""

from pathlib import Path

import pytest
from support.mini_coop import write_raw
from support.mini_tasks import write_class_folders, write_official

from mvlpt.data.sources import (
    ambiguity,
    canonical_name,
    known_tasks,
    locate,
    not_found_error,
    prompt_metadata,
    task_metadata,
)
from mvlpt.errors import ConfigError, UnknownNameError
from mvlpt.metrics import get_metric

ELEVATER = known_tasks("elevater")


def test_totals_are_the_benchmark_s():
    assert len(ELEVATER) == 20
    assert sum(metadata.num_classes for metadata in ELEVATER) == 1151
    totals = [sum(sizes) for sizes in zip(*(metadata.sizes for metadata in ELEVATER), strict=True)]
    assert totals == [638_429, 77_619, 192_677]
    assert [metadata.name for metadata in ELEVATER if metadata.multi_label] == ["voc-2007-classification"]
    assert sum(metadata.num_templates for metadata in ELEVATER) == 132


@pytest.mark.parametrize("metadata", ELEVATER, ids=lambda metadata: metadata.name)
def test_class_names_and_templates(metadata):
    prompts = prompt_metadata(metadata.name)
    assert len(prompts.classnames) == metadata.num_classes == len(set(prompts.classnames))
    assert len(prompts.templates) == metadata.num_templates
    assert all(template.count("{}") == 1 for template in prompts.templates)
    get_metric(metadata.metric)
    assert all(label < metadata.num_classes for label in prompts.synonyms)


def test_label_maps_from_torchvision_name_every_class_once():
    for metadata in ELEVATER:
        order = metadata.torchvision.order if metadata.torchvision else None
        if isinstance(order, list):
            assert sorted(order) == list(range(metadata.num_classes))
        elif isinstance(order, dict):
            assert sorted(order.values()) == list(range(metadata.num_classes))


def test_coop_has_eleven_sets_and_four_shifts():
    coop = known_tasks("coop")
    assert len(coop) == 15
    assert [metadata.name for metadata in coop if metadata.test_only] == [
        "ImageNetV2",
        "ImageNetSketch",
        "ImageNetA",
        "ImageNetR",
    ]
    for metadata in coop:
        assert metadata.how
        if metadata.counterpart:
            assert task_metadata(metadata.counterpart).counterpart == metadata.name


def test_every_name_means_one_task():
    names = [metadata.name for metadata in known_tasks()]
    assert len(set(names)) == len(names)
    assert canonical_name("VOC2007") == "voc-2007-classification"
    assert task_metadata("Food101").family == "coop"
    assert task_metadata("food-101").family == "elevater"
    assert "write 'EuroSAT' or 'eurosat_clip'" in ambiguity("EuroSat")
    assert ambiguity("EuroSAT") == ambiguity("dtd") == ""
    with pytest.raises(UnknownNameError, match="did you mean 'gtsrb'"):
        task_metadata("gtrsb")


def test_locate_tells_what_is_there_and_what_is_missing(tmp_path):
    metadata = task_metadata("dtd")
    absent = locate(tmp_path, metadata)
    assert not absent
    assert absent.looked[0] == tmp_path / "classification" / "dtd_20211007"
    assert "mvlpt tasks download dtd" in str(not_found_error(metadata, absent))
    folder = write_official(tmp_path, "dtd")
    (folder / "test.zip").unlink()
    (folder / "val.txt").unlink()
    found = locate(tmp_path, metadata)
    assert (found.source, found.path, set(found.missing)) == ("official", folder, {"test.zip", "val.txt"})
    assert not locate(tmp_path, metadata, "folder")
    with pytest.raises(ConfigError, match=r"DATASET\.SOURCE"):
        locate(tmp_path, metadata, "zip")


def test_one_odd_folder_does_not_end_a_listing(tmp_path):
    for split in ("train", "training"):
        write_class_folders(tmp_path / "mnist" / split, ["1"])
    found = locate(tmp_path, task_metadata("mnist"))
    assert (found.source, found.path) == ("folder", tmp_path / "mnist")  # its reader says what is wrong
    (tmp_path / "dtd").mkdir()
    (tmp_path / "dtd" / "lined").symlink_to("/usr")
    assert locate(tmp_path, task_metadata("dtd"), "folder").path == tmp_path / "dtd"


def test_locate_finds_the_other_families(tmp_path):
    write_class_folders(tmp_path / "mnist", ["1"])
    assert locate(tmp_path, task_metadata("mnist")).source == "folder"
    write_class_folders(tmp_path / "gtsrb", ["0", "12", "42"], ())  # classes by their numbers
    assert locate(tmp_path, task_metadata("gtsrb")).source == "folder"
    write_raw(tmp_path, "SUN397")
    (tmp_path / "sun397" / "Testing_01.txt").unlink()
    assert locate(tmp_path, task_metadata("SUN397")).missing == ("Testing_01.txt",)
    assert not locate(tmp_path, task_metadata("ImageNet"))
    for metadata in known_tasks("embedded"):
        assert locate("", metadata).path == Path(locate("", metadata).path)
        assert metadata.sizes.test > 0
