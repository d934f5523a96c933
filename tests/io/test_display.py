"""Strings from outside, made safe to print."""

import io
import unicodedata

import pytest
from rich.console import Console

from mvlpt.io import clean_text, counted, listed, rich_text


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain naïve 漢字 🙂", "plain naïve 漢字 🙂"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("a\0b\x7fc\x9bd", "a\\x00b\\x7fc\\x9bd"),
        ("two\nlines\r\ttab", "two\\nlines\\r\\ttab"),
        ("\u202eevil\u2028", "\\u202eevil\\u2028"),
        ("caf\udce9", "caf\\udce9"),
    ],
)
def test_control_characters_are_escaped(raw, shown):
    assert clean_text(raw) == shown
    shown.encode()


def test_every_control_character_of_unicode_is_escaped():
    bad = [chr(code) for code in range(0x3000) if unicodedata.category(chr(code)) in ("Cc", "Zl", "Zp")]
    assert len(bad) == 67
    assert not any(character in clean_text("".join(bad)) for character in bad)


def test_what_is_kept_and_where_it_is_cut():
    assert clean_text("a\n\tb\x1b", keep="\n\t") == "a\n\tb\\x1b"
    assert clean_text("x" * 10, longest=10) == "x" * 10
    assert clean_text("x" * 11, longest=10) == "x" * 9 + "…"
    assert clean_text(None) == "None"


def test_things_are_counted():
    assert [counted(number, "task") for number in (0, 1, 2, 2000)] == ["0 tasks", "1 task", "2 tasks", "2,000 tasks"]
    assert [counted(number, "class") for number in (1, 3)] == ["1 class", "3 classes"]


def test_rich_shows_brackets_as_they_are():
    out = io.StringIO()
    Console(file=out, width=80).print(rich_text("[bold]x[/bold] [/nothing] \x1b[31m"))
    assert out.getvalue() == "[bold]x[/bold] [/nothing] \\x1b[31m\n"


def test_long_lists_end_in_a_count():
    assert listed(["a", "b"], 2) == "a, b"
    assert listed(["a", "b", "c", "d"], 2) == "a, b and 2 more"
    assert listed([1, 2, 3], 2, "; ") == "1; 2; and 1 more"
    assert listed([]) == ""
