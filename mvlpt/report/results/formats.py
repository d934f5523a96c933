"""The tables of results for a terminal, Markdown, LaTeX, CSV and JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mvlpt.io import csv_text, json_text
from mvlpt.report.results.records import records
from mvlpt.report.results.result_sheets import SHOWN, sheets
from mvlpt.report.results.table import ResultsTable
from mvlpt.report.sheets import latex, markdown, rich_table

if TYPE_CHECKING:
    from rich.console import RenderableType


def rich_tables(
    results: ResultsTable, tables: Sequence[str] = SHOWN, digits: int = 1, width: int = 120
) -> list[RenderableType]:
    """For a terminal of ``width`` characters: wide tables are cut, and the notes are below."""
    parts = [part for sheet in sheets(results, tables, digits) for part in sheet.parts(width)]
    return [*map(rich_table, parts), *(f"- {note}" for note in results.notes)]


def as_markdown(results: ResultsTable, tables: Sequence[str] = SHOWN, digits: int = 1) -> str:
    """GitHub tables, then a list of notes."""
    blocks = [markdown(sheet) for sheet in sheets(results, tables, digits)]
    if results.notes:
        blocks.append("\n".join(f"- {note}" for note in results.notes))
    return "\n\n".join(blocks) + "\n"


def as_latex(results: ResultsTable, tables: Sequence[str] = SHOWN, digits: int = 1) -> str:
    """``table`` environments for a document that says ``\\usepackage{booktabs}``; the notes go under the first."""
    drawn = sheets(results, tables, digits)
    blocks = [latex(sheet, results.notes if sheet is drawn[0] else ()) for sheet in drawn]
    return "% needs \\usepackage{booktabs}\n" + "\n\n".join(blocks) + "\n"


def as_csv(results: ResultsTable, table: str = "scores") -> str:
    """One table, unrounded: a line for each task and method, for each method, or for each test."""
    rows = records(results)["scores" if table == "gains" else table]
    fields = list(max(rows, key=len, default={}))  # only methods that need it have a variant
    return csv_text([fields, *([row.get(field, "") for field in fields] for row in rows)]) if rows else ""


def as_json(results: ResultsTable) -> str:
    """All tables, unrounded, and the notes."""
    return json_text({**records(results), "notes": results.notes}, indent=2) + "\n"
