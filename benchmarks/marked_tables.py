"""Tables of the pages in docs/ that a program writes: each stands between two marks, which name the program."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def line(cells: Iterable[str]) -> str:
    """A line of a table in Markdown."""
    return "|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|"


def head(cells: Iterable[str]) -> list[str]:
    """The first two lines of a table in Markdown."""
    cells = list(cells)
    return [line(cells), "|" + "---|" * len(cells)]


def with_table(page: str, name: str, text: str) -> str:
    """The page with another text between the two marks of a table.

    Raises:
        SystemExit: the page lacks a mark.
    """
    before, begin, rest = page.partition(f"<!-- {name}: begin")
    command, arrow, rest = rest.partition("-->\n")
    _, end, after = rest.partition(f"<!-- {name}: end -->")
    if not begin or not arrow or not end:
        raise SystemExit(f"The page needs the lines '<!-- {name}: begin (COMMAND) -->' and '<!-- {name}: end -->'")
    return f"{before}{begin}{command}{arrow}{text}\n{end}{after}"


def write_or_check(files: Mapping[Path, str], check: bool) -> None:
    """Writes the files that are not as they should be, or says in one JSON line whether all are."""
    stale = [file for file, text in files.items() if not file.exists() or file.read_text(encoding="utf-8") != text]
    if check:
        print(json.dumps({"up_to_date": not stale}))
        return
    for file in stale:
        file.write_text(files[file], encoding="utf-8")
        print(f"Wrote {file.relative_to(ROOT)}")
