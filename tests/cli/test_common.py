"""What every command does with a full disk, with a reader that has gone, and with a narrow terminal."""

import errno
import os
import re
import subprocess
import sys
import threading

import pytest
import torch
from support.plans import PATIENCE

from mvlpt.cli import main
from mvlpt.cli.common import exit_status, names_of_classes
from mvlpt.errors import ConfigError, LoaderWorkerError
from mvlpt.io import write_json
from mvlpt.schedule.attempts import AttemptResult
from mvlpt.schedule.jobs import Job
from mvlpt.schedule.records import JobRecord
from mvlpt.schedule.retry import SchedulerOptions, next_state


def no_room(number):
    def fail(*args):
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize(
    ("number", "status"),
    [(errno.ENOSPC, 28), (errno.EDQUOT, 28), (errno.EACCES, 2)],
    ids=("full", "quota", "forbidden"),
)
def test_a_full_disk_has_a_status_of_its_own(tmp_path, monkeypatch, capsys, number, status):
    monkeypatch.setattr("mvlpt.io.files.os.fsync", no_room(number))
    assert exit_status(lambda: write_json({}, tmp_path / "x.json"))() == status
    said = capsys.readouterr().err
    assert said.startswith(f"error: Cannot write {tmp_path}/x.json: {os.strerror(number)}; ")
    assert said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_known_behind_an_error_that_hides_it(tmp_path, monkeypatch):
    from mvlpt.data.features.cache import FeatureBank
    from mvlpt.data.features.files import read_or_build

    monkeypatch.setattr("mvlpt.data.features.files.os.replace", no_room(errno.ENOSPC))
    bank = FeatureBank(torch.zeros(1, 1, 1))
    assert exit_status(lambda: read_or_build(tmp_path, "key", lambda: bank))() == 28


def test_a_job_that_found_no_room_is_tried_again():
    """Bad input would fail again; room may be made."""
    job = Job("a", "train", "a", ("mvlpt", "train"))
    states = []
    for status in (2, 28):
        record = JobRecord(state="running", attempts=1)
        after = next_state(job, record, AttemptResult("a", 1, status, 1.0), SchedulerOptions(retries=1), now=0.0)
        states.append(after["state"])
    assert states == ["failed", "waiting"]


def test_other_errors_keep_their_status(capsys):
    def fail():
        raise ConfigError("No.") from ValueError("no file was concerned")

    assert exit_status(fail)() == 2


def test_a_reader_that_has_seen_enough_is_no_failure(tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("a,b\n1,\n,1\n")
    line = [sys.executable, "-m", "mvlpt.cli", "group", "--measured", table, "--out", tmp_path / "out"]
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(line, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=PATIENCE)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "out" / "groups.yaml").exists()


def test_a_short_output_that_finds_the_disk_full_is_one_sentence(tmp_path):
    code = "import sys; from mvlpt.cli.common import exit_status, show; sys.exit(exit_status(lambda: show('x'))())"
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-c", code], stdout=full, stderr=-1, text=True, env=environment)
    assert done.returncode == 28
    assert done.stderr == "error: [Errno 28] No space left on device; free some space and run the same command again\n"


@pytest.mark.parametrize(
    ("given", "names"),
    [(None, None), ('red, blue,"light, and dark"', ["red", "blue", "light, and dark"]), ("a\nb\r\nc,d", list("abcd"))],
)
def test_names_of_classes(given, names):
    assert names_of_classes(given) == names


@pytest.mark.parametrize("given", ["", " , ", "\n"])
def test_no_names_of_classes(given):
    with pytest.raises(ConfigError, match="--classes names no class"):
        names_of_classes(given)


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_the_names_of_tasks_are_never_broken(tmp_path, capsys, monkeypatch, columns):
    from mvlpt.graph import TaskGraph

    tasks = [f"commerce-blueprint-{number}" for number in range(4)]
    TaskGraph(tasks, {"visual.frechet": [[1.0] * 4] * 4, "label.chamfer": [[1.0] * 4] * 4}).save(tmp_path / "g.json")
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main(["group", "--graph", str(tmp_path / "g.json"), "--no-pictures", "--out", str(tmp_path / "out")]) == 0
    shown = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out)
    for task in tasks:
        assert task in shown
    assert all(len(line) <= columns for line in shown.splitlines() if line[:1] in "┏┡└")


@pytest.mark.parametrize(
    ("error", "status", "sentence"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "/lab/x"), 2, "/lab/x: Permission denied; ask for the"),
        (OSError(errno.EMFILE, "Too many open files"), 2, "raise the limit of open files (ulimit -n 1024)"),
        (RuntimeError("unable to open file: Too many open files (24)"), 2, "raise the limit of open files"),
        (OSError(errno.ENOSPC, "No space left on device", "/data/events"), 28, "free some space"),
        (LoaderWorkerError("The data loader's worker 1 of 2 was killed"), 1, "worker 1 of 2 was killed"),
    ],
)
def test_short_resources_are_one_sentence(capsys, error, status, sentence):
    def fail():
        raise error

    assert exit_status(fail)() == status
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert sentence in said
    assert said.count("\n") == 1


def test_a_thread_that_finds_the_disk_full_prints_no_trace(capsys):
    def write():
        raise OSError(errno.ENOSPC, "No space left on device")

    def program():
        thread = threading.Thread(target=write)
        thread.start()
        thread.join()

    before = threading.excepthook
    assert exit_status(program)() == 0
    assert capsys.readouterr().err == ""
    assert threading.excepthook is before


@pytest.mark.parametrize(
    "words",
    [
        ["train", "--config-file", "trainers/MVLPT-CoOp/embedded.yaml", "--dataset", "tools-plain", "--output-dir"],
        ["experiment", "--config-file", "configs/experiments/demo.yaml", "--output-dir"],
    ],
)
def test_a_folder_whose_name_is_not_utf8_is_refused(tmp_path, capsys, words):
    assert main([*words, os.fsdecode(os.fsencode(tmp_path / "bad") + b"\xff")]) == 2
    assert "bad\\xff is not UTF-8; rename it, or choose another folder" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_names_beyond_the_encoding_of_the_output_are_escaped(tmp_path):
    file = tmp_path / "\u00e9.json"
    file.write_text("{}")
    line = [sys.executable, "-m", "mvlpt.cli", "schedule", "status", str(file)]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(line, capture_output=True, text=True, env=environment, timeout=PATIENCE, check=False)
    assert done.returncode == 2
    assert "\\xe9.json" in done.stderr
    code = "from mvlpt.cli.common import exit_status, show; exit_status(lambda: show('\\u00e9\\u4e2d'))()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert (done.stdout, done.returncode) == ("\\xe9\\u4e2d\n", 0)
