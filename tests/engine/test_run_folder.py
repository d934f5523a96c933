"""Whose folder it is: locks, foreign files, states."""

import json
import os
import subprocess
import sys

import pytest

from mvlpt.config import get_cfg_default
from mvlpt.engine import run_folder
from mvlpt.engine.run_folder import RunFolder
from mvlpt.errors import RunFolderError


@pytest.fixture
def cfg():
    node = get_cfg_default()
    node.freeze()
    return node


def test_states_are_kept_true(tmp_path, cfg):
    folder = RunFolder(tmp_path / "run")

    def fail():
        with folder.open(cfg, {"device": "cpu"}):
            assert json.loads((tmp_path / "run" / "run.json").read_text())["state"] == "running"
            raise ValueError("no luck")

    with pytest.raises(ValueError, match="no luck"):
        fail()
    state = json.loads((tmp_path / "run" / "run.json").read_text())
    assert (state["state"], state["reason"]) == ("failed", "ValueError: no luck")
    assert state["versions"]["torch"]
    with pytest.raises(RunFolderError, match=r"holds this run, failed since .* add --resume"):
        folder.finished_already(cfg)
    with folder.open(cfg, {}):
        pass
    assert folder.finished_already(cfg)


class Killed(BaseException):
    """Simulates kill -9: nothing is cleaned up after it."""


@pytest.mark.parametrize("writes", range(3))
def test_a_run_that_ends_between_its_first_files_begins_again(tmp_path, cfg, monkeypatch, writes):
    """Config, state, log: with each of them as the last file that was written, --resume goes on."""
    path, left = tmp_path / "run", [writes]

    def until_killed(plain):
        def write(*args, **options):
            if not left[0]:
                raise Killed
            left[0] -= 1
            return plain(*args, **options)

        return write

    with monkeypatch.context() as patch:
        for name in ("write_file", "write_json", "log_to_file"):
            patch.setattr(run_folder, name, until_killed(getattr(run_folder, name)))
        with pytest.raises(Killed), RunFolder(path).open(cfg, {}):
            raise AssertionError("it began")
    assert len(list(path.iterdir())) == writes
    cfg.defrost()
    cfg.RESUME = str(path)
    assert not RunFolder(path).finished_already(cfg)
    with RunFolder(path).open(cfg, {}):
        pass
    assert RunFolder(path).finished_already(cfg)
    cfg.OPTIM.LR = 7.0
    with pytest.raises(RunFolderError, match="holds another run"):
        RunFolder(path).finished_already(cfg)


def test_a_folder_of_another_program_is_left_alone(tmp_path, cfg):
    (tmp_path / "log.txt").write_text("somebody's")
    with pytest.raises(RunFolderError, match=r"holds log\.txt of a run this program did not write"):
        RunFolder(tmp_path).finished_already(cfg)


def test_foreign_files_that_are_no_traces_of_a_run_do_not_matter(tmp_path, cfg):
    (tmp_path / "notes.md").write_text("mine")
    assert not RunFolder(tmp_path).finished_already(cfg)


SECOND = """
import sys
from mvlpt.config import get_cfg_default
from mvlpt.engine.run_folder import RunFolder
try:
    with RunFolder(sys.argv[1]).open(get_cfg_default(), {}):
        print("entered")
except OSError as error:
    print(error)
"""


def test_a_second_process_is_kept_out(tmp_path, cfg):
    with RunFolder(tmp_path / "run").open(cfg, {}):
        line = [sys.executable, "-c", SECOND, str(tmp_path / "run")]
        done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert "Another process is writing to OUTPUT_DIR" in done.stdout, done.stderr


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[]", "is not the record of a run"),
        ('{"format": 2}', "of version 2, but this program reads version 1"),
        ("{", "not readable JSON"),
        ("[" * 100_000, "not readable JSON"),
    ],
)
def test_a_damaged_record_is_refused_in_one_sentence(tmp_path, cfg, content, says):
    with RunFolder(tmp_path).open(cfg, {}):
        pass
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(RunFolderError, match=says) as caught:
        RunFolder(tmp_path).finished_already(cfg)
    assert str(caught.value).endswith("restore the file, or choose another folder")


def test_what_a_killed_run_left_is_removed_when_it_continues(tmp_path, cfg):
    left, note = tmp_path / ".resume.pth.tar.0123456789abcdef.tmp", tmp_path / "notes.tmp"
    for path in (left, note):
        path.write_text("half")
        os.utime(path, (1, 1))
    with RunFolder(tmp_path).open(cfg, {}):
        assert not left.exists()
    assert note.exists()
