"""Features on disk: found again, never taken for others, whole or absent."""

import logging
import os

import pytest
import torch

from mvlpt.data.features import FeatureBank, read_or_build
from mvlpt.data.features.files import feature_file
from mvlpt.errors import DataError

BANK = FeatureBank(torch.arange(24.0).reshape(2, 3, 4), {1: "broken.jpg"})


def never():
    raise AssertionError("built again")


def test_what_is_kept_is_found_again(tmp_path):
    assert read_or_build(tmp_path / "f", "a", lambda: BANK) is BANK
    found = read_or_build(tmp_path / "f", "a", never)
    assert torch.equal(found.features, BANK.features)
    assert found.missing == {1: "broken.jpg"}
    assert [path.name for path in (tmp_path / "f").iterdir()] == [feature_file(tmp_path, "a").name]
    assert feature_file(tmp_path / "f", "a").stat().st_mode & 0o044  # others may read it


@pytest.mark.parametrize("damage", ["cut", "other key", "no file format"])
def test_a_broken_or_foreign_file_is_computed_again(tmp_path, damage, caplog):
    read_or_build(tmp_path, "a", lambda: BANK)
    path = feature_file(tmp_path, "a")
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-10])
    elif damage == "other key":
        read_or_build(tmp_path, "b", lambda: BANK)
        os.replace(feature_file(tmp_path, "b"), path)
    else:
        path.write_text("features")
    other = FeatureBank(torch.ones(1, 3, 4))
    with caplog.at_level(logging.WARNING, logger="mvlpt"):
        assert read_or_build(tmp_path, "a", lambda: other) is other
    assert "computed again" in caplog.text
    assert torch.equal(read_or_build(tmp_path, "a", never).features, other.features)


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"Cannot write .*file.*FEATURE_DIR"):
        read_or_build(tmp_path / "file", "a", lambda: BANK)
