"""The lines of epochs: they fit the terminal, name their columns, and hold no sign that moves the cursor."""

import io
import logging
import warnings

import pytest
from rich.console import Console

from mvlpt.runtime import EpochTable, TrainingProgress, progress, setup_logging, short_time

ROW = {
    "epoch": 7, "loss": 1.23456, "train_accuracy": 57.14, "val_accuracy": 43.2, "lr": 0.01,
    "images_per_second": 1234.5, "elapsed": 75.2,
}  # fmt: skip
TASKS = ("weather-dark", "a-task-with-quite-a-long-name-plain", "a-task-with-quite-a-long-name-dark")


@pytest.mark.parametrize("width", [30, 40, 60, 80, 200])
@pytest.mark.parametrize("tasks", [(), TASKS])
def test_lines_fit_the_terminal(width, tasks):
    table = EpochTable(10_000, tasks, width)
    lines = [table.heading(), table.epoch(ROW, 3700.0)]
    lines += [
        table.task({"task": name, "loss": 123.4, "train_accuracy": 100.0, "val_accuracy": None}) for name in tasks
    ]
    assert all(len(line) < width for line in lines)
    assert len(set(lines)) == len(lines)  # long names stay different
    assert lines[0].split()[:2] == ["epoch", "loss"]


def test_all_columns_stand_at_80():
    table = EpochTable(30, TASKS, 80)
    assert table.heading().split() == ["epoch", "loss", "train", "%", "val", "%", "images/s", "elapsed", "left"]
    assert table.epoch(ROW, 40.4).split() == ["7/30", "1.2346", "57.1", "43.2", "1,234", "1:15", "40", "s"]
    assert EpochTable(30, (), 80, validated=False).heading().split()[4] == "images/s"


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_what_is_not_known_is_a_dash(missing):
    row = {**ROW, "val_accuracy": missing, "images_per_second": missing}
    assert EpochTable(30).epoch(row, missing).split() == ["7/30", "1.2346", "57.1", "-", "-", "1:15", "-"]


def test_names_cannot_move_the_cursor():
    line = EpochTable(3, ("a", "b"), 80).task({"task": "a\x1b[2J", "loss": 1.0})
    assert "\x1b" not in line


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0.04, "0.0 s"), (9.94, "9.9 s"), (59.4, "59 s"), (60, "1:00"), (7445, "2:04:05")]
)
def test_times(seconds, expected):
    assert short_time(seconds) == expected


def test_the_bar_names_its_times_and_stays_in_one_line(monkeypatch):
    page = io.StringIO()
    console = Console(file=page, width=80, force_terminal=True, color_system="truecolor")
    monkeypatch.setattr(progress, "stderr_console", lambda: console)
    with TrainingProgress(total=1200, live=True) as bar:
        for _ in range(3):
            bar.step("epoch 100/200", "loss 1.2345 (1.2345) acc 50.0 (50.0)")
    drawn = page.getvalue()
    assert "epoch 100/200" in drawn
    assert "3/1200 steps" in drawn
    assert "elapsed" in drawn
    assert "left" in drawn
    assert "\x1b[38;2" not in drawn  # no colours of its own
    assert "\x1b[3" not in drawn.replace("\x1b[3m", "")


@pytest.fixture
def plain_logging():
    """The handlers of a test are gone after it."""
    loggers = [logging.getLogger(name) for name in ("mvlpt", "py.warnings")]
    before = [(logger, list(logger.handlers), logger.propagate, logger.level) for logger in loggers]
    logging.captureWarnings(False)  # pytest has put back what an earlier test captured, and logging does not know it
    yield
    logging.captureWarnings(False)
    for logger, handlers, propagates, level in before:
        logger.handlers, logger.propagate = handlers, propagates
        logger.setLevel(level)


def test_a_python_warning_is_one_line_and_said_once(plain_logging, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        setup_logging()
        setup_logging()
        for _ in range(3):
            warnings.warn("Something is slow", UserWarning, stacklevel=1)
    assert capsys.readouterr().err == "warning: Something is slow\n"


def test_a_long_path_is_not_broken(plain_logging, capsys):
    setup_logging()
    path = "/".join(["folder"] * 30)
    logging.getLogger("mvlpt.test").info("Loaded %s", path)
    assert f"Loaded {path}\n" in capsys.readouterr().err
