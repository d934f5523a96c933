"""Tasks for people: the list of known tasks, the check of a task's images, and a page that shows some of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mvlpt.lazy import lazy_exports

if TYPE_CHECKING:
    from mvlpt.report.tasks.check import balance_table, build_whole_dataset, check_task
    from mvlpt.report.tasks.contact_sheet import (
        SavedSheet,
        check_sheet_path,
        draw_contact_sheet,
        sample_images,
        save_contact_sheet,
    )
    from mvlpt.report.tasks.listing import ListedTask, list_tasks, listing_table, task_record
    from mvlpt.report.tasks.samples import SavedSample, save_sample_lines

__all__ = [
    "ListedTask",
    "SavedSample",
    "SavedSheet",
    "balance_table",
    "build_whole_dataset",
    "check_sheet_path",
    "check_task",
    "draw_contact_sheet",
    "list_tasks",
    "listing_table",
    "sample_images",
    "save_contact_sheet",
    "save_sample_lines",
    "task_record",
]

__getattr__ = lazy_exports(
    __name__,
    {
        "ListedTask": "listing",
        "SavedSample": "samples",
        "SavedSheet": "contact_sheet",
        "balance_table": "check",
        "build_whole_dataset": "check",
        "check_sheet_path": "contact_sheet",
        "check_task": "check",
        "draw_contact_sheet": "contact_sheet",
        "list_tasks": "listing",
        "listing_table": "listing",
        "sample_images": "contact_sheet",
        "save_contact_sheet": "contact_sheet",
        "save_sample_lines": "samples",
        "task_record": "listing",
    },
)
