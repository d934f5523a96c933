"""CSV: cells read within bounds, and written so that spreadsheets take none for a formula."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from mvlpt.errors import DataError, MvlptError
from mvlpt.io.display import first_line, spreadsheet_cell
from mvlpt.io.limits import limit
from mvlpt.io.reading import REMEDY


def parse_csv(
    text: str,
    where: str | os.PathLike[str],
    *,
    error: type[MvlptError] = DataError,
    remedy: str = REMEDY,
    delimiter: str = ",",
    skip_spaces: bool = False,
) -> Iterator[tuple[int, list[str]]]:
    """The lines of a table that have a cell with content, each with its number.

    Args:
        text: the table.
        where: what messages call it, such as the file's name.
        error: the type to raise.
        remedy: ends the sentence.
        delimiter: between cells.
        skip_spaces: ignore spaces after a delimiter.

    Raises:
        MvlptError: of type ``error``; it cannot be read as CSV, a cell is longer than 131,072 characters, or there are
            more than ``MVLPT_MAX_VALUES`` cells.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=skip_spaces)
    most, count = limit("MVLPT_MAX_VALUES"), 0
    try:
        for cells in reader:
            count += len(cells)
            if count > most:
                raise error(f"{where} has more than {most:,} cells (MVLPT_MAX_VALUES raises the limit); {remedy}")
            if any(cell.strip() for cell in cells):
                yield reader.line_num, cells
    except csv.Error as problem:
        reason = first_line(problem)
        raise error(f"{where}:{reader.line_num}: cannot be read as CSV: {reason}; {remedy}") from None


def csv_text(rows: Iterable[Sequence[Any]]) -> str:
    """Rows as CSV; ``None`` is an empty cell, and see :func:`mvlpt.io.spreadsheet_cell`."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerows(["" if cell is None else spreadsheet_cell(cell) for cell in row] for row in rows)
    return buffer.getvalue()
