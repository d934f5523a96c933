"""One HTML page on an experiment or a run: tables, figures, images; it needs no network and no other file.

A part of the page is a module in ``sections`` with its template beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mvlpt.lazy import lazy_exports

if TYPE_CHECKING:
    from mvlpt.report.page.render import REPORT_FILE, WrittenReport, write_report

__all__ = ["REPORT_FILE", "WrittenReport", "write_report"]

__getattr__ = lazy_exports(__name__, dict.fromkeys(__all__, "render"))
