"""Tables on narrow terminals: fewer columns or more tables, never broken names and numbers."""

import pytest
from rich.console import Console

from mvlpt.cli import common
from mvlpt.cli.common import results_table
from mvlpt.report import Column, Entry, Sheet, markdown
from mvlpt.report.tasks import list_tasks, listing_table

TASKS = ("weather-blueprint", "tools-dark")


def printed(table, width):
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_scores_of_a_run(width, monkeypatch):
    monkeypatch.setattr(common, "output_width", lambda: width)
    rows = [{"task": name, "split": "test", "metric": "mean-per-class", "value": 12.345, "n": 1234} for name in TASKS]
    text = printed(results_table(rows, "a run"), width)
    assert all(name in text for name in TASKS)
    assert text.count("12.35") + text.count("12.34") == 3
    assert ("mean-per-class" in text) == (width >= 70)


@pytest.mark.parametrize("width", [40, 80, 180])
def test_the_list_of_tasks(width):
    text = printed(listing_table(list_tasks("", "embedded"), "", width), width)
    assert "commerce-blueprint" in text
    assert "…" not in text


@pytest.mark.parametrize("width", [40, 50, 80])
def test_a_sheet_breaks_no_word(width):
    columns = [Column(("trainer",), left=True), Column(("arm",), left=True)]
    columns += [Column(("over", name)) for name in ("zero-shot", "single", "all")]
    row = tuple(map(Entry, ("MVLPT-CoOp", "single-task", "+1.2", "-3.4", "+5.6")))
    parts = Sheet("title", tuple(columns), (row,), 2).parts(width)
    for part in parts:
        text = printed(common.rich_table(part), width)
        assert "MVLPT-CoOp" in text
        assert "single-task" in text


def test_headings_of_markdown_read_as_words():
    columns = (Column(("task",), left=True), Column(("over", "zero-shot")), Column(("p", "(Holm)")))
    text = markdown(Sheet("", columns, (tuple(map(Entry, ("a", "1", "2"))),)))
    assert text.splitlines()[0] == "| task | over zero-shot | p (Holm) |"
