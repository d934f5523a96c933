"""Prediction files of a leaderboard: written from runs, checked, and merged into a submission, all as streams."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mvlpt.lazy import lazy_exports

if TYPE_CHECKING:
    from mvlpt.report.leaderboard.entries import Entry, read_entries
    from mvlpt.report.leaderboard.predictions_json import FIELDS, Header, write_predictions
    from mvlpt.report.leaderboard.run_predictions import TaskPredictions, write_run
    from mvlpt.report.leaderboard.shapes import TaskShape, benchmark_shapes, read_shapes
    from mvlpt.report.leaderboard.submission import Progress, Verdict, merge, validate
    from mvlpt.report.leaderboard.tables import verdict_table

__all__ = [
    "FIELDS",
    "Entry",
    "Header",
    "Progress",
    "TaskPredictions",
    "TaskShape",
    "Verdict",
    "benchmark_shapes",
    "merge",
    "read_entries",
    "read_shapes",
    "validate",
    "verdict_table",
    "write_predictions",
    "write_run",
]

__getattr__ = lazy_exports(
    __name__,
    {
        "Entry": "entries",
        "FIELDS": "predictions_json",
        "Header": "predictions_json",
        "Progress": "submission",
        "TaskPredictions": "run_predictions",
        "TaskShape": "shapes",
        "Verdict": "submission",
        "benchmark_shapes": "shapes",
        "merge": "submission",
        "read_entries": "entries",
        "read_shapes": "shapes",
        "validate": "submission",
        "verdict_table": "tables",
        "write_predictions": "predictions_json",
        "write_run": "run_predictions",
    },
)
