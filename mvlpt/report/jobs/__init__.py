"""Plans and running jobs, for people: tables, pictures, a live display."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mvlpt.lazy import lazy_exports

if TYPE_CHECKING:
    from mvlpt.report.jobs.changes import counts_text
    from mvlpt.report.jobs.plan_figure import save_plan_figure
    from mvlpt.report.jobs.plan_table import plan_sheet, plan_times
    from mvlpt.report.jobs.status import failure_lines, failure_reason, running_sheet, status_record, status_sheet
    from mvlpt.report.jobs.watch import Watch

_HOMES = {
    "changes": ("counts_text",),
    "plan_figure": ("save_plan_figure",),
    "plan_table": (
        "plan_sheet",
        "plan_times",
    ),
    "status": (
        "failure_lines",
        "failure_reason",
        "running_sheet",
        "status_record",
        "status_sheet",
    ),
    "watch": ("Watch",),
}

__all__ = [
    "Watch",
    "counts_text",
    "failure_lines",
    "failure_reason",
    "plan_sheet",
    "plan_times",
    "running_sheet",
    "save_plan_figure",
    "status_record",
    "status_sheet",
]

__getattr__ = lazy_exports(__name__, {name: home for home, names in _HOMES.items() for name in names})
