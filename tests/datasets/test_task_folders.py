"""Folders of images as tasks: which folders are classes, which are splits, and which are neither for certain."""

import pytest
from support.mini_tasks import write_class_folders
from support.task_files import build, task_file

import mvlpt.datasets
import mvlpt.trainers  # noqa: F401  (registers the trainers)
from mvlpt.errors import DataError


def test_a_class_may_be_called_like_a_split(tmp_path):
    write_class_folders(tmp_path / "vehicles", ["bus", "train"], ())
    assert build(f"{tmp_path}/vehicles/").classnames == ["bus", "train"]


@pytest.mark.parametrize("splits", [["test", "train"], ["Test", "Train"], ["TRAIN", "val_images"], ["testing-set"]])
@pytest.mark.parametrize("nested", [False, True])
def test_folders_named_like_splits_are_not_taken_for_classes(tmp_path, splits, nested):
    classes = [f"{split}/crow" for split in splits] if nested else splits
    write_class_folders(tmp_path / "photos", classes, ())
    if nested and splits == ["test", "train"]:
        assert build(f"{tmp_path}/photos/").classnames == ["crow"]
        return
    with pytest.raises(DataError, match="are named like splits, not classes"):
        build(f"{tmp_path}/photos/")


def test_a_misspelled_split_beside_others_is_refused(tmp_path):
    write_class_folders(tmp_path / "photos", ["train/crow", "train/owl", "Test/crow", "Test/owl", "notes/x"], ())
    with pytest.raises(DataError, match="is 'Test' a split beside train"):
        build(f"{tmp_path}/photos/")


def test_a_task_file_may_name_classes_like_splits(tmp_path):
    write_class_folders(tmp_path / "photos", ["test", "train"], ())
    path = task_file(tmp_path, images="photos", classes=["test", "train"])
    assert build(path).classnames == ["test", "train"]


def test_folders_of_systems_and_empty_folders_are_no_classes(tmp_path, caplog):
    write_class_folders(tmp_path / "photos", ["crow", "owl", "__MACOSX/crow"], ())
    (tmp_path / "photos" / "lost+found").mkdir()
    (tmp_path / "photos" / "gull").mkdir()
    (tmp_path / "photos" / "jay" / "deep").mkdir(parents=True)
    assert build(f"{tmp_path}/photos/").classnames == ["crow", "owl"]
    assert "folders without images are ignored: gull, jay" in caplog.text
    assert "MACOSX" not in caplog.text


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        (["Train", "Test", "unlabeled"], "the folders Test, Train are named like splits, not classes"),
        (["train", "holdout", "notes"], "the folders holdout, train are named like splits"),
        (["crow/train", "crow/test", "owl/train", "owl/test"], "the folder 'crow' contains splits, test, train"),
        (["crow/Training", "crow/testing_set", "owl/Training", "owl/testing_set"], "'crow' contains splits"),
        (["images/crow", "images/owl"], "contains a single class, 'images', with folders below it"),
        (["images/train/crow", "images/train/owl", "images/test/crow"], "the folder 'images' contains splits"),
        (["train/images/crow", "train/images/owl", "test/images/crow"], "contains a single class, 'images'"),
        (["train/Blue_Jay", "train/crow", "test/blue jay", "test/crow"], "differ only in spelling"),
        (["train/caf\u00e9", "train/crow", "test/cafe\u0301", "test/crow"], "differ only in spelling"),
    ],
)
def test_layouts_of_which_it_is_not_certain_what_the_classes_are(tmp_path, folders, message):
    write_class_folders(tmp_path / "photos", folders, ())
    with pytest.raises(DataError, match=message):
        build(f"{tmp_path}/photos/")


def test_a_link_to_itself_is_named(tmp_path):
    write_class_folders(tmp_path / "photos", ["crow", "owl"], ())
    (tmp_path / "photos" / "crow" / "round").symlink_to("round")
    path = task_file(tmp_path, images="photos", classes=["crow", "owl"])
    with pytest.raises(DataError, match=r"photos/crow/round cannot be read: Too many levels"):
        build(path)


@pytest.mark.parametrize("folders", [["crow/adult", "crow/young", "owl/adult"], ["train", "bus"], ["dev", "crow"]])
def test_other_layouts_are_classes(tmp_path, folders):
    write_class_folders(tmp_path / "photos", folders, ())
    assert build(f"{tmp_path}/photos/").classnames == sorted({folder.split("/")[0] for folder in folders})
