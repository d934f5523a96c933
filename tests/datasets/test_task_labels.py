"""Labels in manifests and class lists, and how they match the classes."""

import re

import pytest
from support.mini_tasks import write_class_folders
from support.task_files import build, task_file, write_list

import mvlpt.datasets
import mvlpt.trainers  # noqa: F401  (registers the trainers)
from mvlpt.errors import DataError


def test_csv_with_names_synonyms_and_numbers(tmp_path):
    write_list(tmp_path, ["path,label,split", "a/1.jpg,crow,train", "a/2.jpg,Corvus Corone,train",
                          "a/3.jpg,1,train", "b/4.jpg,BLUE-JAY,test", "b/5.jpg,crow,val"])  # fmt: skip
    (tmp_path / "classes.txt").write_text("crow; corvus corone\nblue jay\n", encoding="utf-8")
    data = build(task_file(tmp_path, manifest="labels.csv", classes="classes.txt"))
    assert [item.label for item in data.train_x] == [0, 0, 1]
    assert [item.label for item in data.test] == [1]
    assert [len(items) for items in (data.train_x, data.val, data.test)] == [3, 1, 1]
    assert (data.classnames, data.synonyms, data.name) == (["crow", "blue jay"], {0: ("corvus corone",)}, "birds")


@pytest.mark.parametrize("suffix", ["yaml", "json", "inline"])
def test_numbers_and_booleans_of_yaml_are_names(tmp_path, suffix):
    """YAML reads 01 as 1 and `no` as False; a folder 01 then had the label of the second class."""
    write_class_folders(tmp_path / "photos", ["01", "02", "no"], ())
    mapping = "{01: crow, 02: 007, 03: owl, no: yes}"
    (tmp_path / "list.yaml").write_text(mapping)
    (tmp_path / "list.json").write_text('{"01": "crow", "02": "007", "03": "owl", "no": "yes"}')
    classes = mapping if suffix == "inline" else f"list.{suffix}"
    data = build(task_file(tmp_path, f"name: 0x10\nimages: photos\nclasses: {classes}\n"))
    assert data.name == "0x10"
    assert data.classnames == ["crow", "007", "owl", "yes"]
    folders = {item.label: item.impath.split("/")[-2] for item in data.train_x}
    assert folders == {0: "01", 1: "02", 3: "no"}


def test_a_number_is_no_label_where_classes_are_called_by_numbers(tmp_path):
    write_class_folders(tmp_path / "photos", ["01", "02"], ())
    (tmp_path / "list.json").write_text('{"1": "crow", "2": "jay", "3": "owl"}')
    with pytest.raises(DataError, match="'01' is none of the 3 classes"):
        build(task_file(tmp_path, images="photos", classes="list.json"))


def test_signs_in_labels_count(tmp_path):
    write_list(tmp_path, ["a.jpg,C++", "b.jpg,C#", "c.jpg,c", "d.jpg,+1", "e.jpg,-1"])
    data = build(
        task_file(tmp_path, manifest="labels.csv", classes=["C", "C++", "C#", "-1", "+1"], test_share=0, val_share=0)
    )
    labels = {item.impath[-5:]: item.classname for item in data.train_x}
    assert labels == {"a.jpg": "C++", "b.jpg": "C#", "c.jpg": "C", "d.jpg": "+1", "e.jpg": "-1"}


@pytest.mark.parametrize(
    ("classes", "word", "expected"),
    [
        (["blue jay", "owl"], "Blue_Jay", "blue jay"),
        (["Blue-Jay", "owl"], "blue jay", "Blue-Jay"),
        (["caf\u00e9", "owl"], "cafe\u0301", "caf\u00e9"),  # as macOS writes it
        (["crow", "Crow"], "Crow", "Crow"),
        (["crow", "Crow"], "CROW", "'CROW' could mean 'crow' and 'Crow'; write one of them exactly"),
        (["C++", "owl"], "C", "'C' is none of the 2 classes"),
        (["crow!", "owl"], "crow", "'crow' is none of the 2 classes"),
    ],
)
def test_labels_match_exactly_or_in_one_documented_spelling(tmp_path, classes, word, expected):
    write_list(tmp_path, [f"a.jpg,{word}", "b.jpg,owl" if "owl" in classes else f"b.jpg,{classes[0]}"])
    path = task_file(tmp_path, manifest="labels.csv", classes=classes, test_share=0, val_share=0)
    if expected in classes:
        assert {item.classname for item in build(path).train_x} >= {expected}
    else:
        with pytest.raises(DataError, match=re.escape(expected)):
            build(path)


def test_one_empty_label_makes_no_multi_label_task(tmp_path):
    write_list(tmp_path, ["a.jpg,crow", "b.jpg,"])
    with pytest.raises(
        DataError, match=r"labels\.csv:2: an image of a single-label task has one label, this one has 0"
    ):
        build(task_file(tmp_path, manifest="labels.csv"))
    assert build(task_file(tmp_path, manifest="labels.csv", multi_label=True)).multi_label


@pytest.mark.parametrize(
    ("classes", "word"),
    [([["crane", "bird"], ["crow", "bird"]], "bird"), ({"a": "crow", "b": "crow"}, "crow"),
     ({"a": ["owl", "bird"], "b": ["crow", "bird"]}, "bird")],
    ids=["synonyms", "names", "synonyms of keys"],
)  # fmt: skip
def test_a_word_of_several_classes_is_refused(tmp_path, classes, word):
    write_list(tmp_path, [f"a.jpg,{word}", f"b.jpg,{word}"])
    path = task_file(tmp_path, manifest="labels.csv", classes=classes, test_share=0, val_share=0)
    with pytest.raises(DataError, match=rf"labels\.csv:1: '{word}' is a name of several classes"):
        build(path)


def test_a_key_counts_before_a_name_and_a_name_before_a_synonym(tmp_path):
    write_list(tmp_path, ["a.jpg,x", "b.jpg,crow"])
    classes = {"x": ["owl", "crow"], "y": "crow", "z": "x"}
    data = build(task_file(tmp_path, manifest="labels.csv", classes=classes, test_share=0, val_share=0))
    assert {item.impath[-5:]: item.label for item in data.train_x} == {"a.jpg": 0, "b.jpg": 1}


@pytest.mark.parametrize(("one", "other"), [("Blue_Jay", "blue jay"), ("caf\u00e9", "cafe\u0301"), ("C", "c")])
def test_labels_that_differ_only_in_spelling_are_no_two_classes(tmp_path, one, other):
    write_list(tmp_path, [f"a.jpg,{one}", f"b.jpg,{other}"])
    with pytest.raises(DataError, match="differ only in spelling; write them alike, or list both as classes"):
        build(task_file(tmp_path, manifest="labels.csv"))
    both = task_file(tmp_path, manifest="labels.csv", classes=[one, other], test_share=0, val_share=0)
    assert len(build(both).classnames) == 2
