"""Tables of a page as plain data; the template ``table.html.jinja`` draws them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Cell:
    """One field.

    Attributes:
        text: what is shown.
        value: what sorting compares; by default the text.
        best: marked as the best of its row.
        mark: what the mark means, for those who cannot see it.
        level: of its colour, from 0 to 10; ``None`` for none.
        wrong: the colour is that of mistakes.
        link: an anchor on the page.
    """

    text: str = ""
    value: float | str | None = None
    best: bool = False
    mark: str = "best"
    level: int | None = None
    wrong: bool = False
    link: str = ""

    @property
    def key(self) -> str:
        """What sorting compares, as an attribute; empty where nothing is known, which sorts last."""
        return f"{self.value:.6f}" if isinstance(self.value, (int, float)) else (self.value or "")


@dataclass(frozen=True)
class Heading:
    """The heading of a column: a name, what stands above it, whether its fields are numbers, or else sentences."""

    text: str
    over: str = ""
    number: bool = True
    long: bool = False


@dataclass(frozen=True)
class Table:
    """A table; the first field of each row is its heading.

    Attributes:
        caption: what it shows.
        headings: of the columns.
        rows: as many fields as headings each.
        foot: rows that stay at the bottom when the others are sorted.
        sortable: by a click on a heading.
        compact: small fields, as of a matrix.
        folded: shown on request.
    """

    caption: str
    headings: Sequence[Heading]
    rows: Sequence[Sequence[Cell]]
    foot: Sequence[Sequence[Cell]] = ()
    sortable: bool = True
    compact: bool = False
    folded: bool = False


def level(value: float, low: float, high: float) -> int:
    """A value's colour, from 0 at ``low`` to 10 at ``high``."""
    if not (math.isfinite(value) and high > low):
        return 0
    return round(10 * min(1.0, max(0.0, (value - low) / (high - low))))


def number(value: float | None, digits: int = 1, sign: bool = False) -> str:
    """A number as tables show it, with a real minus sign; a dash where it is not known."""
    if value is None or not math.isfinite(value):
        return "–"
    shown = f"{value:{'+' if sign else ''}.{digits}f}"
    if float(shown) == 0:
        shown = shown.replace("-", "").replace("+", "")
    return shown.replace("-", "−")
