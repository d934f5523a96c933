"""Progress files, log lines and signals of a running process."""

import io
import json
import logging
import os
import re
import signal
import subprocess
import sys

import pytest
from rich.console import Console

from mvlpt.errors import RunFolderError
from mvlpt.runtime import StopRequest, TrainingProgress, counting, log_to_file, setup_logging
from mvlpt.runtime import log as log_module
from mvlpt.runtime import progress as progress_module


@pytest.fixture
def quiet_root():
    """The package's logger, put back as it was."""
    logger = logging.getLogger("mvlpt")
    before = logger.level, logger.propagate, logger.handlers[:]
    warnings = logging.getLogger("py.warnings").handlers[:]
    yield logger
    logger.level, logger.propagate, logger.handlers[:] = before
    logging.getLogger("py.warnings").handlers[:] = warnings
    logging.captureWarnings(False)


def test_the_progress_file_is_written_at_the_first_and_the_last_step_and_once_a_second(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(progress_module.time, "monotonic", lambda: now[0])
    path = tmp_path / "progress.json"
    seen = []
    with TrainingProgress(5, live=False, file=str(path)) as progress:
        for pause in (0.1, 0.1, 1.0, 0.1, 0.1):
            now[0] += pause
            progress.step(f"loss {now[0]:.1f}")
            seen.append(json.loads(path.read_text())["done"])
    assert seen == [1, 1, 3, 3, 5]
    assert json.loads(path.read_text()) == {"done": 5, "total": 5, "text": "loss 101.4"}
    assert os.listdir(tmp_path) == ["progress.json"]


def test_a_run_does_not_fail_where_its_progress_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with TrainingProgress(1, live=False, file=str(tmp_path / "file" / "below")) as progress:
        progress.step("x")


def test_time_left_follows_from_the_steps_of_this_process(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress_module.time, "monotonic", lambda: now[0])
    progress = TrainingProgress(100, done=40, live=False, file="")
    assert progress.remaining() != progress.remaining()
    for _ in range(10):
        progress.step("x")
    now[0] = 20.0
    assert progress.remaining() == pytest.approx(2.0 * 50)


def test_bars_show_brackets_and_escapes_as_they_are(monkeypatch):
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100, color_system=None)
    monkeypatch.setattr(progress_module, "stderr_console", lambda: console)
    with TrainingProgress(2, live=True, file="") as progress:
        progress.step("[red]loss[/red] \x1b[31m")
    assert "[red]loss[/red] \\x1b[31m" in out.getvalue()
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with counting("[b]task[/b]") as move:
        move(1, 2)
    assert "[b]task[/b]" in out.getvalue()


def test_logs_hold_no_control_characters(tmp_path, quiet_root, monkeypatch):
    out = io.StringIO()
    monkeypatch.setattr(log_module, "stderr_console", lambda: Console(file=out, width=200))
    setup_logging()
    log = logging.getLogger("mvlpt.test")
    with log_to_file(tmp_path / "log.txt"):
        log.info("name %s", "\x1b[2J\r[bold]forged")
        log.debug("quiet")
    log.info("after")
    assert out.getvalue().split() == ["name", "\\x1b[2J\\r[bold]forged", "after"]
    lines = (tmp_path / "log.txt").read_text().splitlines()
    stamp = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}"
    assert re.fullmatch(stamp + r" INFO mvlpt\.test: name \\x1b\[2J\\r\[bold\]forged", lines[0])
    assert re.fullmatch(stamp + r" DEBUG mvlpt\.test: quiet", lines[1])
    assert len(lines) == 2
    with pytest.raises(RunFolderError, match=r"Cannot write .*log\.txt"), log_to_file(tmp_path / "gone" / "log.txt"):
        pass


def test_quiet_logging_shows_warnings_only(quiet_root, monkeypatch):
    out = io.StringIO()
    monkeypatch.setattr(log_module, "stderr_console", lambda: Console(file=out, width=200))
    for _ in range(2):  # a second call replaces the handler of the first
        setup_logging(verbose=False)
    logging.getLogger("mvlpt.test").info("hidden")
    logging.getLogger("mvlpt.test").warning("shown")
    assert out.getvalue().split() == ["shown"]


def test_the_first_signal_asks_and_the_second_interrupts():
    before = signal.getsignal(signal.SIGINT)
    with StopRequest() as stop:
        assert not stop.requested
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.requested
        with StopRequest() as inner:
            assert inner.requested
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


IGNORING = """
import os, signal
from mvlpt.runtime import StopRequest
signal.signal(signal.SIGINT, signal.SIG_IGN)
with StopRequest() as stop:
    os.kill(os.getpid(), signal.SIGINT)
    assert not stop.requested
    assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
print("fine")
"""


def test_an_ignored_signal_stays_ignored():
    done = subprocess.run([sys.executable, "-c", IGNORING], capture_output=True, text=True, check=False)
    assert done.stdout == "fine\n", done.stderr


def test_runtime_loads_neither_torch_nor_rich_before_a_name_is_used():
    code = "import sys, mvlpt.runtime, mvlpt.io; print([m for m in ('torch', 'yaml', 'rich') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_log_that_cannot_be_written_is_one_warning(capsys, quiet_root):
    with log_to_file("/dev/full"):
        for number in range(3):
            logging.getLogger("mvlpt.test").info("line %d", number)
    said = capsys.readouterr().err.splitlines()
    assert said == ["warning: cannot write /dev/full: No space left on device; the run goes on"]
