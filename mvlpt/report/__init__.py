"""Results, plans, tasks and task graphs for people: tables, figures, a live display, leaderboard files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mvlpt.lazy import lazy_exports

if TYPE_CHECKING:
    from mvlpt.report.durations import clock, duration, memory
    from mvlpt.report.options import (
        differences_sheet,
        explain_option,
        find_option,
        find_options,
        options_page,
        options_sheet,
    )
    from mvlpt.report.searches import search_sheet
    from mvlpt.report.sheets import Column, Entry, Sheet, latex, latex_escape, markdown, rich_table

__all__ = [
    "Column",
    "Entry",
    "Sheet",
    "clock",
    "differences_sheet",
    "duration",
    "explain_option",
    "find_option",
    "find_options",
    "latex",
    "latex_escape",
    "markdown",
    "memory",
    "options_page",
    "options_sheet",
    "rich_table",
    "search_sheet",
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
        "differences_sheet": "options",
        "explain_option": "options",
        "find_option": "options",
        "find_options": "options",
        "options_page": "options",
        "options_sheet": "options",
        "search_sheet": "searches",
    },
)
