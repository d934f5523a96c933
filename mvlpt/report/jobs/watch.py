"""Shows a plan while it runs: a live table on a terminal, lines anywhere else."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.text import Text

from mvlpt.io import counted
from mvlpt.report.durations import duration
from mvlpt.report.jobs.changes import NOTABLE, STYLES, Change, Changes, counts_text
from mvlpt.report.jobs.live import ProgressReader, frame
from mvlpt.schedule import Snapshot

REFRESH = 0.25  # seconds between two frames
SUMMARY = 60.0  # seconds between two summaries where there is no terminal


class Watch:
    """Context whose calls with snapshots keep the display up to date; hand it to the scheduler as its listener.

    Args:
        console: where to draw. On a terminal a table is drawn anew four times a second and only failures are printed
            above it; elsewhere every start and end is a line, with a summary each minute and no control codes.
        live: whether a table may be drawn; not where jobs print to the same terminal.
        clock: seconds, monotonic.
    """

    def __init__(self, console: Console, live: bool = True, clock: Callable[[], float] = time.monotonic) -> None:
        self._console, self._clock = console, clock
        self._drawing = live and console.is_terminal
        self._changes, self._progress = Changes(), ProgressReader(clock)
        self._last: Snapshot | None = None
        self._drawn = self._summed = -float("inf")
        self._live: Live | None = None

    def __enter__(self) -> Watch:
        if self._drawing:
            self._live = Live(console=self._console, auto_refresh=False, transient=True, redirect_stdout=False)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._last is not None:
            self._print_changes(self._last)
        if self._live is not None:
            self._live.stop()
            self._live = None
        if self._last is not None:
            self._print(Text(f"{counts_text(self._last.plan, self._last.records)} in {duration(self._last.elapsed)}"))

    def __call__(self, snapshot: Snapshot) -> None:
        """Draws the snapshot, if the last frame is old enough."""
        self._last = snapshot
        now = self._clock()
        if now - self._drawn < REFRESH:
            return
        self._drawn = now
        self._print_changes(snapshot)
        if self._live is not None:
            width, height = self._console.size
            self._live.update(frame(snapshot, self._progress, width=width, height=height), refresh=True)
        elif now - self._summed >= SUMMARY:
            left = "stopping" if snapshot.stopping else f"about {duration(snapshot.time_left)} left"
            count = len(snapshot.slots)
            slots = counted(count, "slot")
            self._print(Text(f"{counts_text(snapshot.plan, snapshot.records)}; {slots}, {left}"))
            self._summed = now

    def _print_changes(self, snapshot: Snapshot) -> None:
        for change in self._changes(snapshot):
            if self._live is None or change.what in NOTABLE:
                self._print(_line(change, snapshot, dated=self._live is None))

    def _print(self, text: Text) -> None:
        self._console.print(text, soft_wrap=True)


def _line(change: Change, snapshot: Snapshot, dated: bool) -> Text:
    line = Text(f"{time.strftime('%H:%M:%S')} " if dated else "")
    line.append(f"{change.what:<9}", style=STYLES[change.what])
    return line.append(f" {change.text}")
