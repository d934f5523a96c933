"""Strings from outside made safe to print: no control characters, no endless lines."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

LONGEST = 4000
LONGEST_SENTENCE = 1200
_NUMBER = re.compile(r"[+-]?[0-9.]+(?:e[+-]?[0-9]+)?")
_LONG_WORD = re.compile(r"[^\s]{300,}")
# C0 and C1 controls, line and paragraph separators, marks that reverse the reading order, halves of surrogate pairs
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def clean_text(text: object, longest: int = LONGEST, keep: str = "") -> str:
    r"""A string that is safe to print on a terminal and in a log.

    Control characters become escapes (``\x1b``), so that a file name or an error from outside cannot move the cursor,
    colour the screen or forge a line.

    Args:
        text: a string, or anything that has one.
        longest: a longer string is cut and ends in an ellipsis.
        keep: characters left as they are, such as ``"\n\t"``.
    """
    shown = str(text)
    if len(shown) > longest:
        shown = shown[: max(0, longest - 1)] + "…"
    return _UNSAFE.sub(lambda found: _escape(found[0], keep), shown)


def rich_text(text: object, longest: int = LONGEST, keep: str = "") -> str:
    """:func:`clean_text` for rich: square brackets are shown and not read as markup."""
    from rich.markup import escape

    return escape(clean_text(text, longest, keep))


def _escape(character: str, keep: str) -> str:
    return character if character in keep else character.encode("unicode_escape").decode("ascii")


def short_repr(value: object, longest: int = 200) -> str:
    """A value as messages show it, cut where it is long."""
    try:
        return clean_text(repr(value), longest)
    except (ValueError, RecursionError):  # a number of thousands of digits, or nested without end
        return f"a {type(value).__name__} that is too long to show"


def spreadsheet_cell(value: Any) -> Any:
    """A field of a CSV file: a string that a spreadsheet would take for a formula gets an apostrophe in front.

    Control characters are escaped; what is not a string stays as it is.
    """
    if not isinstance(value, str):
        return value
    shown = clean_text(value)
    return f"'{shown}" if shown.startswith(("=", "+", "-", "@")) and not _NUMBER.fullmatch(shown) else shown


def counted(number: int, noun: str) -> str:
    """A number of things: ``1 task``, ``2,000 tasks``, ``3 classes``."""
    plural = "es" if noun.endswith("s") else "s"
    return f"{number:,} {noun}{plural * (number != 1)}"


def listed(names: Sequence[object], most: int = 6, separator: str = ", ") -> str:
    """The first few names and how many more there are: ``a, b, c and 4 more``, or ``a; b; c; and 4 more``."""
    more = f"{';' * (separator == '; ')} and {len(names) - most} more" if len(names) > most else ""
    return separator.join(map(str, names[:most])) + more


def json_text(value: Any, indent: int | None = None) -> str:
    """JSON for a terminal or a file that people read: other alphabets as they are, control characters escaped."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    return _UNSAFE.sub(lambda found: found[0] if found[0] == "\n" else f"\\u{ord(found[0]):04x}", text)


def sentence(text: object, longest: int = LONGEST_SENTENCE, keep: str = "") -> str:
    """:func:`clean_text` for messages: a word of many characters, such as a name from outside, shows its two ends."""
    words = _LONG_WORD.sub(lambda found: f"{found[0][:160]}…{found[0][-100:]}", str(text))
    return clean_text(words, longest, keep)


def first_line(problem: BaseException, longest: int = 300) -> str:
    """What an exception says, in one line that is safe to print; its type where it says nothing."""
    lines = str(problem).strip().splitlines()
    return clean_text(lines[0] if lines else type(problem).__name__, longest)
