"""Archives that are not what they say: a pipe, and an entry that unpacks to more than its header claims."""

import os
import struct
import tracemalloc
import zipfile

import pytest

from mvlpt.data.images import read_entry
from mvlpt.errors import DataError


def test_a_pipe_is_no_archive(tmp_path):
    os.mkfifo(tmp_path / "images.zip")
    with pytest.raises(DataError, match=r"images\.zip is not a regular file"):
        read_entry(str(tmp_path / "images.zip"), "a.png")


def test_an_entry_that_understates_its_size_is_not_unpacked_whole(tmp_path):
    path = tmp_path / "lies.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(2**25))
    content = path.read_bytes()
    path.write_bytes(content.replace(struct.pack("<L", 2**25), struct.pack("<L", 100)))
    tracemalloc.start()
    with pytest.raises(DataError, match=r"'a\.png' of .*lies\.zip cannot be read"):
        read_entry(str(path), "a.png")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**23
