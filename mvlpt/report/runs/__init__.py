"""The folders of runs: listed, compared, and removed where they are of no use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mvlpt.lazy import lazy_exports

if TYPE_CHECKING:
    from mvlpt.report.runs.cleaning import KINDS, Removal, remove_runs, useless_runs
    from mvlpt.report.runs.comparison import Comparison, compare_runs, recording_command
    from mvlpt.report.runs.comparison_tables import (
        comparison_csv,
        comparison_json,
        comparison_markdown,
        comparison_sheets,
    )
    from mvlpt.report.runs.differences import differing_options, option_words
    from mvlpt.report.runs.finding import find_runs
    from mvlpt.report.runs.listing import ORDERS, RunFilter, run_records, runs_sheet, size_word, sort_runs
    from mvlpt.report.runs.record import STATES, RunRecord, present_state, read_run

_HOMES = {
    "cleaning": ("KINDS", "Removal", "remove_runs", "useless_runs"),
    "comparison": ("Comparison", "compare_runs", "recording_command"),
    "comparison_tables": ("comparison_csv", "comparison_json", "comparison_markdown", "comparison_sheets"),
    "differences": ("differing_options", "option_words"),
    "finding": ("find_runs",),
    "listing": ("ORDERS", "RunFilter", "run_records", "runs_sheet", "size_word", "sort_runs"),
    "record": ("STATES", "RunRecord", "present_state", "read_run"),
}

__all__ = [
    "KINDS",
    "ORDERS",
    "STATES",
    "Comparison",
    "Removal",
    "RunFilter",
    "RunRecord",
    "compare_runs",
    "comparison_csv",
    "comparison_json",
    "comparison_markdown",
    "comparison_sheets",
    "differing_options",
    "find_runs",
    "option_words",
    "present_state",
    "read_run",
    "recording_command",
    "remove_runs",
    "run_records",
    "runs_sheet",
    "size_word",
    "sort_runs",
    "useless_runs",
]

__getattr__ = lazy_exports(__name__, {name: home for home, names in _HOMES.items() for name in names})
