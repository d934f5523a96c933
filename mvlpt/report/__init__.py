"""Results, plans, tasks and task graphs for people: tables, figures, a live display, leaderboard files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mvlpt.lazy import lazy_exports

if TYPE_CHECKING:
    from mvlpt.report.durations import clock, duration, memory
    from mvlpt.report.sheets import Column, Entry, Sheet, latex, latex_escape, markdown, rich_table

__all__ = [
    "Column",
    "Entry",
    "Sheet",
    "clock",
    "duration",
    "latex",
    "latex_escape",
    "markdown",
    "memory",
    "rich_table",
]

__getattr__ = lazy_exports(
    __name__,
    {
        "Column": "sheets",
        "Entry": "sheets",
        "Sheet": "sheets",
        "clock": "durations",
        "duration": "durations",
        "latex": "sheets",
        "latex_escape": "sheets",
        "markdown": "sheets",
        "memory": "durations",
        "rich_table": "sheets",
    },
)
