"""Programs write tables between two marks of a page, and leave the rest of it as it is."""

import json

import pytest

from benchmarks.marked_tables import head, line, with_table, write_or_check

PAGE = "before\n<!-- arms: begin (python a.py) -->\nold\n<!-- arms: end -->\nafter\n"


def test_a_table_stands_between_its_marks():
    table = "\n".join([*head(["", "a"]), line(["b", "1"])])
    assert table == "| | a |\n|---|---|\n| b | 1 |"
    page = with_table(PAGE, "arms", table)
    assert page == PAGE.replace("old", table)
    assert with_table(page, "arms", "old") == PAGE


@pytest.mark.parametrize("page", ["no marks", PAGE.replace(": end", ""), PAGE.replace("arms", "legs")])
def test_a_page_without_marks_is_refused(page):
    with pytest.raises(SystemExit, match="arms: begin"):
        with_table(page, "arms", "")


def test_only_what_differs_is_written(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("benchmarks.marked_tables.ROOT", tmp_path)
    same, other, new = files = [tmp_path / name for name in ("same.md", "other.md", "new.csv")]
    same.write_text("1")
    other.write_text("1")
    wanted = dict(zip(files, ("1", "2", "3"), strict=True))
    write_or_check(wanted, check=True)
    assert json.loads(capsys.readouterr().out) == {"up_to_date": False}
    assert (other.read_text(), new.exists()) == ("1", False)
    write_or_check(wanted, check=False)
    assert capsys.readouterr().out.splitlines() == ["Wrote other.md", "Wrote new.csv"]
    write_or_check(wanted, check=True)
    assert json.loads(capsys.readouterr().out) == {"up_to_date": True}
