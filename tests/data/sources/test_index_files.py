"""Text index files: what is accepted, and that every refusal names file and line."""

import zipfile

import pytest

from mvlpt.data.sources import read_index, read_labels
from mvlpt.errors import DataError


@pytest.fixture
def folder(tmp_path, png):
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as pages:
        pages.writestr("a b/1.png", png(1))
        pages.writestr("2.png", png(2))
    (tmp_path / "plain.png").write_bytes(png(3))
    (tmp_path / "labels.txt").write_text("cat\n\n a dog \nÄpfel\n", encoding="utf-8")
    return tmp_path


def _index(folder, text, **options):
    (folder / "train.txt").write_text(text, encoding="utf-8")
    return read_index(folder / "train.txt", ["cat", "dog", "cow"], **options)


def test_labels_are_stripped_and_blank_lines_dropped(folder):
    assert read_labels(folder / "labels.txt") == ["cat", "a dog", "Äpfel"]


def test_lines_are_cut_at_their_last_space(folder):
    items = _index(folder, "images.zip@a b/1.png 2\r\n\n  plain.png 0  \n")
    assert [item.impath for item in items] == [f"{folder}/images.zip@a b/1.png", f"{folder}/plain.png"]
    assert [(item.label, item.classname) for item in items] == [(2, "cow"), (0, "cat")]


def test_multi_label_lines_give_tuples_and_may_have_no_label(folder):
    items = _index(folder, "images.zip@2.png 0,2\nplain.png\n", multi_label=True)
    assert [item.label for item in items] == [(0, 2), ()]


def test_paths_may_be_relative_to_another_folder(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("index")
    (elsewhere / "train.txt").write_text("plain.png 1\n")
    (item,) = read_index(elsewhere / "train.txt", ["cat", "dog"], root=folder)
    assert item.impath == f"{folder}/plain.png"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("plain.png 3", "label 3 is outside the 3 classes"),
        ("plain.png -1", "label -1 is outside"),
        ("plain.png cat", "'cat' is not a label"),
        ("plain.png 0_1", "'0_1' is not a label; each line must be 'path label'"),
        ("plain.png +1", "'.1' is not a label"),
        ("plain.png ١", "'١' is not a label"),
        ("plain.png " + "9" * 5000, "is not a label"),
        ("plain.png 0,1", "this one has 2"),
        ("plain.png\t1", "this one has 0; each line must be 'path label'"),
        ("plain.png", "this one has 0"),
        ("gone.png 1", "does not exist"),
        ("gone.zip@a.png 1", "gone.zip does not exist"),
        ("images.zip@gone.png 1", "has no file 'gone.png'"),
        ("../plain.png 1", "leaves the data set's folder"),
        ("images.zip@../plain.png 1", "leaves the data set's folder"),
        ("/etc/passwd 1", "leaves the data set's folder"),
        ("C:\\x.png 1", "leaves the data set's folder"),
    ],
)
def test_bad_line_is_named(folder, line, says):
    with pytest.raises(DataError, match=says) as caught:
        _index(folder, f"plain.png 0\n{line}\n")
    assert "train.txt:2" in str(caught.value)


def test_missing_empty_and_binary_files_are_named(folder):
    with pytest.raises(DataError, match=r"gone\.txt does not exist"):
        read_index(folder / "gone.txt", ["cat"])
    with pytest.raises(DataError, match="lists no image"):
        _index(folder, "\n\n")
    (folder / "labels.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"labels\.txt cannot be read as UTF-8"):
        read_labels(folder / "labels.txt")
    (folder / "labels.txt").write_text(" \n")
    with pytest.raises(DataError, match="names no class"):
        read_labels(folder / "labels.txt")


def test_files_need_not_be_looked_up(folder):
    assert len(_index(folder, "gone.zip@a.png 1\n", check_files=False)) == 1
