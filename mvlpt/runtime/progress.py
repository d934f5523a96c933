"""Progress of training: a live bar on a terminal, and a small file for programs that watch from outside."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.table import Column
from rich.text import Text

from mvlpt.errors import MvlptError
from mvlpt.io import clean_text, write_file
from mvlpt.runtime.console import bars_shown, stderr_console
from mvlpt.runtime.epoch_table import short_time

FILE_VARIABLE = "MVLPT_PROGRESS_FILE"  # names a file through which other processes follow the run
FILE_SECONDS = 1.0
NARROW = 76  # characters of a line


@contextmanager
def counting(what: str, shown: bool = True) -> Iterator[Callable[[int, int], None]]:
    """A bar that moves when it is called with (done, total); it appears with the first call, on a terminal only."""
    if not shown or not bars_shown():
        yield lambda done, total: None
        return
    with _bar() as bar:
        task = None

        def move(done: int, total: int) -> None:
            nonlocal task
            task = bar.add_task(clean_text(what)) if task is None else task
            bar.update(task, completed=done, total=total)

        yield move


class _Time(ProgressColumn):
    """A time with its name: ``elapsed 1:05`` or ``left 0:40``."""

    def __init__(self, name: str, seconds: Callable[[Task], float | None]) -> None:
        super().__init__(Column(no_wrap=True))
        self._name, self._seconds = name, seconds

    def render(self, task: Task) -> Text:
        seconds = self._seconds(task)
        return Text(f"{self._name} {'-' if seconds is None else short_time(seconds)}")


def _bar(unit: str = "") -> Progress:
    """A description, which is not read as markup, a bar, counts and labelled times, in one colour and one line."""
    counts = "{task.completed:.0f}/{task.total:.0f}" + (f" {unit}" if unit else "")
    one_line = Column(no_wrap=True)
    columns: list[ProgressColumn] = [
        TextColumn("{task.description}", markup=False, style="none", table_column=one_line),
        BarColumn(bar_width=20, style="dim", complete_style="bold", finished_style="bold", pulse_style="bold"),
        TextColumn(counts, style="none", table_column=one_line),
        _Time("elapsed", lambda task: task.elapsed),
        _Time("left", lambda task: task.time_remaining),
    ]
    if stderr_console().width < NARROW:  # without the bar and the time elapsed
        del columns[3], columns[1]
    return Progress(
        *columns,
        console=stderr_console(),
        transient=True,
    )


class TrainingProgress:
    """Counts the steps of a whole run.

    Args:
        total: steps from the first to the last epoch.
        done: steps that an earlier part of the run has made.
        live: draw a bar; by default where the standard error is a terminal.
        file: updated at most once a second with ``{"done": steps, "total": steps, "text": ...}``; by default what the
            environment variable ``MVLPT_PROGRESS_FILE`` names.
    """

    def __init__(self, total: int, done: int = 0, live: bool | None = None, file: str | None = None) -> None:
        shown = bars_shown() if live is None else live
        named = os.environ.get(FILE_VARIABLE, "") if file is None else file
        self._file = Path(named) if named else None
        self._written_at = -FILE_SECONDS
        self._bar: Progress | None = None
        self._started, self._first, self._done, self._total = time.monotonic(), done, done, total
        if shown:
            self._bar = _bar("steps")
            self._task = self._bar.add_task("training", total=total, completed=done)

    def __enter__(self) -> TrainingProgress:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def expect(self, total: int, done: int) -> None:
        """Corrects the numbers of steps, of which ``done`` were made by an earlier part of the run."""
        self._total, self._first, self._done = total, done, done
        if self._bar is not None:
            self._bar.update(self._task, total=total, completed=done)

    def step(self, label: str, values: object = "") -> None:
        """Counts one step.

        Args:
            label: what is shown before the bar.
            values: programs that watch are given them as well, as a string.
        """
        self._done += 1
        now = time.monotonic()
        if self._file is not None and (now - self._written_at >= FILE_SECONDS or self._done == self._total):
            self._written_at = now
            self._write_file(f"{label} {values}".rstrip())
        if self._bar is not None:
            self._bar.update(self._task, advance=1, description=clean_text(label))

    def _write_file(self, text: str) -> None:
        """Replaces the file, so that readers see either the old or the new one; a run does not fail because of it."""
        content = json.dumps({"done": self._done, "total": self._total, "text": text})
        with suppress(MvlptError):
            write_file(self._file, content, sync=False)

    def remaining(self) -> float:
        """Seconds to go, estimated from the steps of this process."""
        mine = self._done - self._first
        return (time.monotonic() - self._started) / mine * (self._total - self._done) if mine else float("nan")
