"""Manifests as people have them: columns under their usual names, and a word on those that are not used."""

import json

import pytest
from support.mini_tasks import write_picture

import mvlpt.datasets  # noqa: F401  (registers task files)
from mvlpt.config import get_cfg_default
from mvlpt.data import build_dataset
from mvlpt.data.sources import read_manifest
from mvlpt.errors import DataError


def manifest(folder, *lines, name="labels.csv"):
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / name


def splits(path):
    return [(row.path, row.words, row.split) for row in read_manifest(path)]


@pytest.mark.parametrize(
    "column", ["split", "subset", "Set", "PARTITION", "data_split", "Dataset Split", "phase", "fold"]
)
@pytest.mark.parametrize("value", ["test", "Testing", "eval"])
def test_the_split_is_read_under_its_usual_names(tmp_path, column, value):
    path = manifest(tmp_path, f"path,label,{column}", f"a.jpg,crow,{value}", "b.jpg,owl,train")
    assert splits(path) == [("a.jpg", ("crow",), "test"), ("b.jpg", ("owl",), "train")]
    record = {"image_path": "a.jpg", "Class Name": "crow", column: value}
    assert splits(manifest(tmp_path, json.dumps(record), name="a.jsonl")) == [("a.jpg", ("crow",), "test")]


@pytest.mark.parametrize("header", ["Image,Class", "file_name,category", "IMAGE PATH,class_name", "filepath,target"])
def test_paths_and_labels_too(tmp_path, header):
    assert splits(manifest(tmp_path, header, "a.jpg,crow")) == [("a.jpg", ("crow",), "")]


def test_columns_that_are_not_used_are_named(tmp_path, caplog):
    path = manifest(tmp_path, "id,path,label,width,subset", "1,a.jpg,crow,30,val")
    assert splits(path) == [("a.jpg", ("crow",), "val")]
    assert f"{path}: columns that are not used: id, width" in caplog.text
    caplog.clear()
    splits(manifest(tmp_path, "path,label", "a.jpg,crow"))
    assert caplog.text == ""


def test_of_two_columns_the_usual_one_counts_and_the_other_is_named(tmp_path, caplog):
    path = manifest(tmp_path, "path,label,fold,split", "a.jpg,crow,3,test")
    assert splits(path) == [("a.jpg", ("crow",), "test")]
    assert "not used: fold" in caplog.text


def test_numbers_of_folds_are_no_splits(tmp_path, caplog):
    path = manifest(tmp_path, "path,label,fold", "a.jpg,crow,0", "b.jpg,owl,1")
    assert [row.split for row in read_manifest(path)] == ["", ""]
    assert "not used: fold" in caplog.text


def test_a_wrong_split_is_refused_where_others_are_right(tmp_path):
    path = manifest(tmp_path, "path,label,subset", "a.jpg,crow,test", "b.jpg,owl,tset")
    with pytest.raises(DataError, match=r"labels\.csv:3: there is no split 'tset'; did you mean"):
        read_manifest(path)


def test_a_header_without_a_path_is_no_image(tmp_path):
    with pytest.raises(DataError, match="needs the columns 'path' and 'label', it has photo, label"):
        read_manifest(manifest(tmp_path, "photo,label", "a.jpg,crow"))


def test_the_test_images_are_those_of_the_column(tmp_path):
    for number in range(6):
        write_picture(tmp_path / f"{number}.jpg", number)
    lines = [f"{n}.jpg,{('crow', 'owl')[n % 2]},{'test' if n > 3 else 'train'}" for n in range(6)]
    manifest(tmp_path, "image,class,subset", *lines)
    (tmp_path / "birds.yaml").write_text("manifest: labels.csv\nval_share: 0\n")
    cfg = get_cfg_default()
    cfg.SEED = 1
    data = build_dataset(cfg, str(tmp_path / "birds.yaml"))
    assert sorted(item.impath[-5:] for item in data.test) == ["4.jpg", "5.jpg"]
