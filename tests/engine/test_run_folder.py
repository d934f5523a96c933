"""Whose folder it is: locks, foreign files, states."""

import json
import subprocess
import sys

import pytest

from mvlpt.config import get_cfg_default
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
