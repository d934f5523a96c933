"""Paths of an index: inside their folder and there, in archives or unpacked; the quick look misses nothing."""

import itertools
import zipfile
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest

from mvlpt.data.sources import IndexPaths, LinkCheck, safe_join
from mvlpt.errors import DataError


def leaves_by_rule(relative: str) -> bool:
    """The rule in pathlib's words: some part is absolute, has a drive or climbs, here or on Windows."""
    parts = [flavour(part) for part in relative.split("@") for flavour in (PurePosixPath, PureWindowsPath)]
    return any(part.is_absolute() or part.drive or ".." in part.parts for part in parts)


def test_no_spelling_slips_past_the_quick_look():
    pieces = ("..", "/", "\\", "C:", "@", "a", ".", " ")
    for length in (1, 2, 3, 4):
        for chosen in itertools.product(pieces, repeat=length):
            relative = "".join(chosen)
            try:
                assert safe_join(Path("root"), relative, "here") == f"root/{relative}"
                refused = False
            except DataError:
                refused = True
            assert refused == leaves_by_rule(relative), relative


@pytest.fixture
def folder(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("x/1.png", b"")
    (tmp_path / "b" / "x").mkdir(parents=True)
    (tmp_path / "b" / "x" / "1.png").touch()
    (tmp_path / "y").mkdir()
    (tmp_path / "y" / "2.png").touch()
    (tmp_path / "c.zip@z.png").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("relative", "expected"),
    [
        ("a.zip@x/1.png", "a.zip@x/1.png"),
        ("b.zip@x/1.png", "b/x/1.png"),  # unpacked into a folder of the archive's name
        ("b.zip@y/2.png", "y/2.png"),  # unpacked where it lay
        ("c.zip@z.png", "c.zip@z.png"),  # a file of that name
    ],
)
def test_archives_may_be_unpacked(folder, relative, expected):
    paths = IndexPaths(folder)
    assert [paths.impath(relative, "here") for _ in range(2)] == [f"{folder}/{expected}"] * 2


def test_a_dot_in_front_leaves_nothing(folder):
    """As ``find . -name '*.png'`` writes paths."""
    (folder / "1.png").touch()
    paths = IndexPaths(folder)
    for relative in ("./1.png", "./y/2.png", "y//2.png"):
        assert Path(paths.impath(relative, "here")).is_file()
    (folder / "y" / "up").symlink_to("..")
    with pytest.raises(DataError, match="leads out of the folder"):
        LinkCheck(folder).check_folder(f"{folder}/y/up")


@pytest.mark.parametrize("relative", ["a.zip@x", "b.zip@x", "a.zip@x/2.png", "y", "d.zip@q.png"])
def test_what_is_not_there_is_named(folder, relative):
    with pytest.raises(DataError, match=r"^here: .*(has no file|does not exist)"):
        IndexPaths(folder).impath(relative, "here")
    assert IndexPaths(folder, check_files=False).impath(relative, "here") == f"{folder}/{relative}"
