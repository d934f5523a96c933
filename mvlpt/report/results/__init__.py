"""Tables of results: methods on tasks, gains, ranks, paired tests, in several formats."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mvlpt.lazy import lazy_exports

if TYPE_CHECKING:
    from mvlpt.report.results.arms_figure import check_figure_name, save_arms_figure
    from mvlpt.report.results.experiment_files import MARKDOWN, experiment_tables, looks_of
    from mvlpt.report.results.formats import as_csv, as_json, as_latex, as_markdown, rich_tables
    from mvlpt.report.results.method import Method, images_word, shots_word
    from mvlpt.report.results.result_sheets import SHOWN, TABLES, sheets
    from mvlpt.report.results.scores import Scores
    from mvlpt.report.results.selection import Selection
    from mvlpt.report.results.table import ResultsTable, results_table
    from mvlpt.report.results.variants import label_variants

_HOMES = {
    "arms_figure": ("check_figure_name", "save_arms_figure"),
    "experiment_files": ("MARKDOWN", "experiment_tables", "looks_of"),
    "formats": ("as_csv", "as_json", "as_latex", "as_markdown", "rich_tables"),
    "method": ("Method", "images_word", "shots_word"),
    "result_sheets": ("SHOWN", "TABLES", "sheets"),
    "scores": ("Scores",),
    "selection": ("Selection",),
    "table": ("ResultsTable", "results_table"),
    "variants": ("label_variants",),
}

__all__ = [
    "MARKDOWN",
    "SHOWN",
    "TABLES",
    "Method",
    "ResultsTable",
    "Scores",
    "Selection",
    "as_csv",
    "as_json",
    "as_latex",
    "as_markdown",
    "check_figure_name",
    "experiment_tables",
    "images_word",
    "label_variants",
    "looks_of",
    "results_table",
    "rich_tables",
    "save_arms_figure",
    "sheets",
    "shots_word",
]

__getattr__ = lazy_exports(__name__, {name: home for home, names in _HOMES.items() for name in names})
