"""Writing: whole files or none, with the permissions of a plain open, from many threads and past killed processes."""

import errno
import fcntl
import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time

import pytest

from mvlpt.errors import DataError, RunFolderError
from mvlpt.io import atomic_write, file_lock, is_locked, read_json, sweep_leftovers, write_file, write_json
from mvlpt.io import files as files_module
from mvlpt.io.locks import LockHeldError


def leftovers(folder):
    return sorted(path.name for path in folder.iterdir() if path.name.endswith(".tmp"))


@pytest.mark.parametrize("content", ["text\n", b"\x00bytes\xff", ""])
def test_a_file_holds_what_was_written(tmp_path, content):
    path = tmp_path / "below" / "file"
    write_file(path, content)
    assert path.read_bytes() == (content if isinstance(content, bytes) else content.encode())
    assert leftovers(path.parent) == []


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002, 0o000])
def test_permissions_are_those_of_a_plain_open(tmp_path, mask):
    before = os.umask(mask)
    try:
        write_file(tmp_path / "ours", "x")
        with open(tmp_path / "plain", "w") as handle:
            handle.write("x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "ours").stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


def test_a_file_that_exists_keeps_its_permissions(tmp_path):
    path = tmp_path / "script"
    path.write_text("old")
    path.chmod(0o750)
    write_file(path, "new")
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o750


def test_a_failed_block_leaves_the_old_file_and_no_trace(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")

    def fail_half_way():
        with atomic_write(path) as handle:
            handle.write("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail_half_way()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_errors_are_of_the_callers_type_and_name_file_reason_and_remedy(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(RunFolderError, match=r"Cannot write .*file/below: .*; free or choose another folder"):
        write_file(tmp_path / "file" / "below", "x")
    with pytest.raises(DataError, match=r"Cannot write .*file/below: .*; set A_KEY"):
        write_file(tmp_path / "file" / "below", "x", error=DataError, remedy="set A_KEY")
    for name in ("nul\0byte", "half\ud800"):
        with pytest.raises(RunFolderError, match=r"Cannot write .*: no file can have this name; free or choose"):
            write_file(tmp_path / name, "x")

    def full(number):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files_module.os, "fsync", full)
    with pytest.raises(DataError, match="No space left on device"):
        write_file(tmp_path / "new", "x", error=DataError)
    assert sorted(os.listdir(tmp_path)) == ["file"]


def test_an_error_of_ours_inside_the_block_stays_what_it_is(tmp_path):
    def write():
        with atomic_write(tmp_path / "new"):
            raise RunFolderError("something else")

    with pytest.raises(RunFolderError, match=r"^something else$"):
        write()


def test_a_device_is_written_and_not_replaced(tmp_path):
    write_file("/dev/null", "x")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_names_that_are_no_unicode_survive_json(tmp_path):
    name = os.fsdecode(b"caf\xe9")
    write_json({"file": name}, tmp_path / "x.json")
    assert read_json(tmp_path / "x.json") == {"file": name}
    (tmp_path / "x.json").read_text(encoding="utf-8")


def test_a_long_name_leaves_room_for_the_temporary_one(tmp_path):
    path = tmp_path / ("n" * 255)
    write_file(path, "x")
    assert path.read_text() == "x"


def test_many_threads_write_one_file_and_it_is_always_whole(tmp_path):
    path, seen = tmp_path / "x.json", []
    write_json([0] * 1000, path)
    done = threading.Event()

    def write(value):
        for _ in range(20):
            write_json([value] * 1000, path)

    def read():
        while not done.is_set():
            seen.append(json.loads(path.read_text()))

    reader = threading.Thread(target=read)
    reader.start()
    writers = [threading.Thread(target=write, args=(value,)) for value in range(4)]
    for thread in writers:
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    reader.join()
    assert seen
    assert all(len(value) == 1000 and len(set(value)) == 1 for value in seen)
    assert leftovers(tmp_path) == []


HANG = """
import sys, time
from mvlpt.io import atomic_write
with atomic_write(sys.argv[1]) as handle:
    handle.write("half")
    handle.flush()
    print("writing", flush=True)
    time.sleep(3600)
"""


def test_what_a_killed_writer_leaves_is_swept_and_a_living_writers_file_is_not(tmp_path, monkeypatch):
    monkeypatch.setattr(files_module, "SETTLED_SECONDS", 0.0)
    writer = subprocess.Popen([sys.executable, "-c", HANG, str(tmp_path / "file")], stdout=subprocess.PIPE, text=True)
    try:
        assert writer.stdout.readline() == "writing\n"
        assert len(leftovers(tmp_path)) == 1
        assert sweep_leftovers(tmp_path) == []
    finally:
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
    (tmp_path / ".notes.tmp").write_text("mine")
    (tmp_path / "a.0123456789abcdef.tmp").write_text("mine")
    assert [path.name.startswith(".file.") for path in sweep_leftovers(tmp_path)] == [True]
    assert leftovers(tmp_path) == [".notes.tmp", "a.0123456789abcdef.tmp"]


def test_a_fresh_temporary_file_is_left_alone(tmp_path):
    fresh, old = tmp_path / ".a.0123456789abcdef.tmp", tmp_path / ".b.0123456789abcdef.tmp"
    for path in (fresh, old):
        path.touch()
    os.utime(old, (time.time() - 60,) * 2)
    assert sweep_leftovers(tmp_path) == [old]
    assert fresh.exists()


HOLD = """
import sys, time
from mvlpt.io import file_lock
with file_lock(sys.argv[1]):
    print("held", flush=True)
    time.sleep(3600)
"""


@pytest.mark.parametrize("folder", [True, False])
def test_one_process_holds_a_lock_and_its_death_releases_it(tmp_path, folder):
    path = tmp_path if folder else tmp_path / "lock"
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        assert is_locked(path)
        with pytest.raises(LockHeldError, match="Another process holds"), file_lock(path):
            pass
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
    assert not is_locked(path)
    with file_lock(path):
        assert is_locked(path)
    assert not is_locked(path)


def test_whoever_only_looks_whether_a_lock_is_held_keeps_nobody_out(tmp_path, monkeypatch):
    number = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(number, fcntl.LOCK_SH | fcntl.LOCK_NB)  # as is_locked does for a moment
    monkeypatch.setattr("mvlpt.io.locks.time.sleep", lambda seconds: fcntl.flock(number, fcntl.LOCK_UN))
    with file_lock(tmp_path / "lock"):
        pass
    os.close(number)


def test_a_lock_that_nobody_made_is_not_held(tmp_path):
    assert not is_locked(tmp_path / "none")
