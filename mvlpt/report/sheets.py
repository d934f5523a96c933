"""Tables as plain data, drawn on a terminal, in Markdown or in LaTeX by the functions here.

Their strings may come from outside: control characters are escaped, long fields are cut.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mvlpt.io import clean_text

LONGEST = 300  # characters of a field

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True)
class Column:
    """A heading of one or more lines; ``left`` for words, else numbers."""

    lines: tuple[str, ...]
    left: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "lines", tuple(clean_text(line, LONGEST) for line in self.lines))


@dataclass(frozen=True)
class Entry:
    """One field of a table."""

    text: str = ""
    bold: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", clean_text(self.text, LONGEST, keep="\n"))


@dataclass(frozen=True)
class Sheet:
    """A table.

    Attributes:
        title: above it.
        columns: the headings.
        rows: as many entries as columns each; ``None`` instead of a row is a rule.
        keys: how many columns at the left say what a row is.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Entry, ...] | None, ...]
    keys: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "title", clean_text(self.title, keep="\n"))

    def parts(self, width: int) -> list[Sheet]:
        """Cut into tables no wider than ``width`` characters, each with the columns that say what a row is."""
        from rich.cells import cell_len

        rows = [row for row in self.rows if row is not None]
        widths = [
            max([cell_len(line) for line in column.lines] + [cell_len(row[i].text) for row in rows]) + 3
            for i, column in enumerate(self.columns)
        ]
        keys = self.keys
        available, cuts, used = width - 1 - sum(widths[:keys]), [keys], 0
        if available < max(widths[keys:], default=0):  # then words are broken wherever they are
            available = max(available, width // 2)
        for column in range(keys, len(widths)):
            if used and used + widths[column] > available:
                cuts.append(column)
                used = 0
            used += widths[column]
        if len(cuts) == 1:
            return [self]
        spans = itertools.pairwise([*cuts, len(widths)])
        return [
            Sheet(
                self.title if start == keys else f"{self.title} (continued)",
                (*self.columns[:keys], *self.columns[start:end]),
                tuple(None if row is None else (*row[:keys], *row[start:end]) for row in self.rows),
                keys,
            )
            for start, end in spans
        ]


def signed(value: float | None, digits: int = 1) -> str:
    """A difference with its sign; zero has none, and what is not known is empty."""
    if value is None:
        return ""
    number = f"{value:+.{digits}f}"
    return number[1:] if float(number) == 0 else number


def rich_table(sheet: Sheet) -> Table:
    """For a terminal."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(sheet.title), title_justify="left", title_style="bold")
    for column in sheet.columns:
        heading = Text("\n".join(column.lines))
        table.add_column(heading, justify="left" if column.left else "right", overflow="fold")
    for row in sheet.rows:
        if row is None:
            table.add_section()
        else:
            table.add_row(*(Text(entry.text, style="bold" if entry.bold else "") for entry in row))
    return table


def markdown(sheet: Sheet) -> str:
    """A GitHub table under its title; rules between rows are left out, for Markdown has none."""
    lines = [f"**{_markdown_escape(sheet.title)}**", ""] if sheet.title else []
    lines.append(_markdown_row([" ".join(filter(None, column.lines)) for column in sheet.columns]))
    lines.append("|" + "|".join(":---" if column.left else "---:" for column in sheet.columns) + "|")
    for row in sheet.rows:
        if row is not None:
            lines.append(_markdown_row([entry.text for entry in row], [entry.bold for entry in row]))
    return "\n".join(lines)


def _markdown_row(entries: Sequence[str], bold: Sequence[bool] = ()) -> str:
    fields = [_markdown_escape(entry) for entry in entries]
    fields = [f"**{field}**" if mark and field else field for field, mark in itertools.zip_longest(fields, bold)]
    return "| " + " | ".join(fields) + " |"


def _markdown_escape(text: str) -> str:
    for character in "\\|*_`<":
        text = text.replace(character, "\\" + character)
    return text.replace("\n", " ")


def latex(sheet: Sheet, notes: Sequence[str] = ()) -> str:
    """A ``table`` that needs ``\\usepackage{booktabs}``; neighbours with the same first heading share it."""
    columns = sheet.columns
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{latex_escape(sheet.title)}}}",
        r"\smallskip",  # for classes that leave no space below a caption
        rf"\begin{{tabular}}{{{''.join('l' if column.left else 'r' for column in columns)}}}",
        r"\toprule",
        *_latex_headings(columns),
        r"\midrule",
    ]
    for row in sheet.rows:
        if row is None:
            lines.append(r"\midrule")
        else:
            fields = [_latex_field(entry.text, column.left) for entry, column in zip(row, columns, strict=True)]
            bold = [rf"\textbf{{{f}}}" if entry.bold and f else f for f, entry in zip(fields, row, strict=True)]
            lines.append(" & ".join(bold) + r" \\")
    lines += [r"\bottomrule", r"\end{tabular}"]
    if notes:
        lines += ["", r"\smallskip", r"{\footnotesize " + r" \\ ".join(latex_escape(f"{n}.") for n in notes) + r"\par}"]
    return "\n".join([*lines, r"\end{table}"])


def _latex_field(text: str, left: bool) -> str:
    """An entry; before a number a hyphen is a minus sign, which is longer."""
    field = latex_escape(text)
    return field if left else re.sub(r"^-(?=\d)", "$-$", field)


def _latex_headings(columns: Sequence[Column]) -> list[str]:
    """As many rows as the highest heading has; shorter headings are at the bottom, as on a terminal."""
    depth = max(len(column.lines) for column in columns)
    rows = []
    for level in range(depth):
        words = ["" if level < depth - len(c.lines) else c.lines[level - depth + len(c.lines)] for c in columns]
        fields, rules, first = [], [], 1
        for heading, same in itertools.groupby(words):
            count = len(list(same))
            if level == 0 and depth > 1 and heading and count > 1:
                fields.append(rf"\multicolumn{{{count}}}{{c}}{{{latex_escape(heading)}}}")
                rules.append(rf"\cmidrule(lr){{{first}-{first + count - 1}}}")
            else:
                fields += [latex_escape(heading)] * count
            first += count
        rows.append(" & ".join(fields) + r" \\")
        rows += [" ".join(rules)] if rules else []
    return rows


_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "±": r"$\pm$",
    "−": r"$-$",
    "–": "--",
    "→": r"$\to$",
    "×": r"$\times$",
    "\n": " ",
}


def latex_escape(text: str) -> str:
    """Makes characters that mean something to LaTeX mean themselves."""
    return "".join(_LATEX.get(character, character) for character in text)
