"""A line for every epoch, in columns that fit the width of the terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from mvlpt.io import clean_text

NARROW, MIDDLE, WIDE = 9, 16, 22  # characters of the first column: of epochs, and of the names of tasks


class _Column(NamedTuple):
    key: str
    title: str
    width: int


# Where there is no room for all, the last of these are left out first.
_COLUMNS = (
    _Column("loss", "loss", 9),
    _Column("train_accuracy", "train %", 9),
    _Column("val_accuracy", "val %", 8),
    _Column("left", "left", 9),
    _Column("elapsed", "elapsed", 9),
    _Column("images_per_second", "images/s", 10),
)
_ORDER = ("loss", "train_accuracy", "val_accuracy", "images_per_second", "elapsed", "left")


class EpochTable:
    """Lines of text for the epochs of a run, under one heading.

    Args:
        epochs: of the whole run.
        tasks: names of its tasks; with several, their lines may stand below that of the epoch.
        width: of the terminal.
        validated: whether there is a column for validation.
    """

    def __init__(self, epochs: int, tasks: Sequence[str] = (), width: int = 80, validated: bool = True) -> None:
        self._epochs = epochs
        self._first = (WIDE if width >= 60 else MIDDLE) if len(tasks) > 1 else NARROW
        room, shown = width - 1 - self._first, set()
        for column in _COLUMNS:
            if column.key == "val_accuracy" and not validated:
                continue
            if column.width > room:
                break
            shown.add(column.key)
            room -= column.width
        by_key = {column.key: column for column in _COLUMNS}
        self._columns = [by_key[key] for key in _ORDER if key in shown]

    def heading(self) -> str:
        """The names of the columns."""
        return "epoch".ljust(self._first) + "".join(column.title.rjust(column.width) for column in self._columns)

    def epoch(self, row: Mapping[str, Any], left: float | None) -> str:
        """The line of an epoch.

        Args:
            row: of ``metrics.csv``.
            left: seconds that the run still takes.
        """
        return self._line(f"{row['epoch']}/{self._epochs}", {**row, "left": left})

    def task(self, row: Mapping[str, Any]) -> str:
        """The line of a task in an epoch, a row of ``task_metrics.csv``."""
        name = clean_text(str(row["task"]))
        room = self._first - 3
        if len(name) > room:  # the end is what tells tasks such as tools-plain and tools-dark apart
            name = f"{name[: room - 9]}…{name[-8:]}"
        return self._line(f"  {name}", row).rstrip()

    def _line(self, first: str, values: Mapping[str, Any]) -> str:
        return first.ljust(self._first) + "".join(
            _entry(column, values.get(column.key), column.key in values).rjust(column.width) for column in self._columns
        )


def _entry(column: _Column, value: Any, known: bool) -> str:
    if not known:
        return ""
    if value is None or not math.isfinite(value):
        return "-"
    if column.key in ("elapsed", "left"):
        return short_time(value)
    if column.key == "loss":
        return f"{value:.4f}" if abs(value) < 1000 else f"{value:.3g}"
    return f"{value:,.0f}" if column.key == "images_per_second" else f"{value:.1f}"


def short_time(seconds: float) -> str:
    """``3.2 s``, ``4:05`` (minutes and seconds) or ``2:04:05``."""
    if seconds < 10:
        return f"{max(seconds, 0.0):.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes}:{rest:02d}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
