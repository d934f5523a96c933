"""Progress of training: a live bar on a terminal, lines in the log, a small file for who watches from outside."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from mvlpt.errors import MvlptError
from mvlpt.io import write_file
from mvlpt.runtime.console import stderr_console

log = logging.getLogger(__name__)

FILE_VARIABLE = "MVLPT_PROGRESS_FILE"  # names a file that tells other processes how far the run is
FILE_SECONDS = 1.0


@contextmanager
def counting(what: str, shown: bool = True) -> Iterator[Callable[[int, int], None]]:
    """A bar that is moved by calling with (done, total); it appears with the first call, on a terminal only."""
    if not shown or not sys.stderr.isatty():
        yield lambda done, total: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=stderr_console(), transient=True) as bar:
        task = None

        def move(done: int, total: int) -> None:
            nonlocal task
            task = bar.add_task(what) if task is None else task
            bar.update(task, completed=done, total=total)

        yield move


class TrainingProgress:
    """Counts steps over the whole run.

    Args:
        total: steps from the first to the last epoch.
        done: steps that an earlier part of the run has made.
        live: draw a bar; by default where the standard error is a terminal.
        file: kept up to date, at most once a second, as ``{"done": steps, "total": steps, "text": ...}``; by default
            what the environment variable ``MVLPT_PROGRESS_FILE`` names.
    """

    def __init__(self, total: int, done: int = 0, live: bool | None = None, file: str | None = None) -> None:
        shown = sys.stderr.isatty() if live is None else live
        named = os.environ.get(FILE_VARIABLE, "") if file is None else file
        self._file = Path(named) if named else None
        self._told_at = -FILE_SECONDS
        self._bar: Progress | None = None
        self._started, self._first, self._done, self._total = time.monotonic(), done, done, total
        if shown:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
            self._bar = Progress(
                *columns, TimeElapsedColumn(), TimeRemainingColumn(), console=stderr_console(), transient=True
            )
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

    def step(self, text: str) -> None:
        """One step is done; ``text`` stands before the bar."""
        self._done += 1
        now = time.monotonic()
        if self._file is not None and (now - self._told_at >= FILE_SECONDS or self._done == self._total):
            self._told_at = now
            self._tell(text)
        if self._bar is not None:
            self._bar.update(self._task, advance=1, description=text)

    def _tell(self, text: str) -> None:
        """Replaces the file; a reader sees the old one or the new one. A run does not fail over it."""
        content = json.dumps({"done": self._done, "total": self._total, "text": text})
        with suppress(MvlptError):
            write_file(self._file, content, sync=False)

    def remaining(self) -> float:
        """Seconds to go, judged by the steps of this process."""
        mine = self._done - self._first
        return (time.monotonic() - self._started) / mine * (self._total - self._done) if mine else float("nan")
