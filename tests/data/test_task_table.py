"""The table of tasks against the benchmark's totals, its two namespaces, and what ``locate`` finds."""

from pathlib import Path

import pytest
from support.mini_coop import write_raw
from support.mini_tasks import write_class_folders, write_official

from mvlpt.data.sources.locate import locate, not_found
from mvlpt.data.sources.task_table import ambiguity, known_tasks, prompt_facts, resolve, task_facts
from mvlpt.errors import ConfigError, UnknownNameError
from mvlpt.metrics import get_metric

ELEVATER = known_tasks("elevater")


def test_totals_are_the_benchmark_s():
    assert len(ELEVATER) == 20
    assert sum(facts.num_classes for facts in ELEVATER) == 1151
    totals = [sum(sizes) for sizes in zip(*(facts.sizes for facts in ELEVATER), strict=True)]
    assert totals == [638_429, 77_619, 192_677]
    assert [facts.name for facts in ELEVATER if facts.multi_label] == ["voc-2007-classification"]
    assert sum(facts.num_templates for facts in ELEVATER) == 132


@pytest.mark.parametrize("facts", ELEVATER, ids=lambda facts: facts.name)
def test_class_names_and_templates(facts):
    prompts = prompt_facts(facts.name)
    assert len(prompts.classnames) == facts.num_classes == len(set(prompts.classnames))
    assert len(prompts.templates) == facts.num_templates
    assert all(template.count("{}") == 1 for template in prompts.templates)
    get_metric(facts.metric)
    assert all(label < facts.num_classes for label in prompts.synonyms)


def test_label_maps_from_torchvision_name_every_class_once():
    for facts in ELEVATER:
        order = facts.torchvision.order if facts.torchvision else None
        if isinstance(order, list):
            assert sorted(order) == list(range(facts.num_classes))
        elif isinstance(order, dict):
            assert sorted(order.values()) == list(range(facts.num_classes))


def test_coop_has_eleven_sets_and_four_shifts():
    coop = known_tasks("coop")
    assert len(coop) == 15
    assert [facts.name for facts in coop if facts.test_only] == [
        "ImageNetV2",
        "ImageNetSketch",
        "ImageNetA",
        "ImageNetR",
    ]
    for facts in coop:
        assert facts.how
        if facts.counterpart:
            assert task_facts(facts.counterpart).counterpart == facts.name


def test_every_name_means_one_task():
    names = [facts.name for facts in known_tasks()]
    assert len(set(names)) == len(names)
    assert resolve("VOC2007") == "voc-2007-classification"
    assert task_facts("Food101").family == "coop"
    assert task_facts("food-101").family == "elevater"
    assert "write 'EuroSAT' or 'eurosat_clip'" in ambiguity("EuroSat")
    assert ambiguity("EuroSAT") == ambiguity("dtd") == ""
    with pytest.raises(UnknownNameError, match="did you mean 'gtsrb'"):
        task_facts("gtrsb")


def test_locate_tells_what_is_there_and_what_is_missing(tmp_path):
    facts = task_facts("dtd")
    absent = locate(tmp_path, facts)
    assert not absent
    assert absent.looked[0] == tmp_path / "classification" / "dtd_20211007"
    assert "mvlpt tasks download dtd" in str(not_found(facts, absent))
    folder = write_official(tmp_path, "dtd")
    (folder / "test.zip").unlink()
    (folder / "val.txt").unlink()
    found = locate(tmp_path, facts)
    assert (found.source, found.path, set(found.missing)) == ("official", folder, {"test.zip", "val.txt"})
    assert not locate(tmp_path, facts, "folder")
    with pytest.raises(ConfigError, match=r"DATASET\.SOURCE"):
        locate(tmp_path, facts, "zip")


def test_locate_finds_the_other_families(tmp_path):
    write_class_folders(tmp_path / "mnist", ["1"])
    assert locate(tmp_path, task_facts("mnist")).source == "folder"
    write_raw(tmp_path, "SUN397")
    (tmp_path / "sun397" / "Testing_01.txt").unlink()
    assert locate(tmp_path, task_facts("SUN397")).missing == ("Testing_01.txt",)
    assert not locate(tmp_path, task_facts("ImageNet"))
    for facts in known_tasks("embedded"):
        assert locate("", facts).path == Path(locate("", facts).path)
        assert facts.sizes.test > 0
