"""The example and the tables of docs/groups.md."""

import re
from pathlib import Path

from mvlpt.experiment.grouping import GROUPING_OPTIONS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "groups.md").read_text(encoding="utf-8")


def test_the_example_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.S)
    exec(block, {})
    expected = re.findall(r"print\(.*\)  # (.*)", block)
    assert capsys.readouterr().out.splitlines() == expected
    assert (tmp_path / "out" / "four" / "groups.yaml").exists()


def test_the_page_names_every_option_with_its_flag():
    table = PAGE.partition("| key | flag | what |")[2].partition("\n\n")[0]
    for option in GROUPING_OPTIONS:
        assert f"`{option.name}`" in table
        assert not option.flag or re.search(rf"`{option.flag}\b", table), option.flag


def test_the_page_names_every_file():
    folder = ROOT / "mvlpt" / "experiment" / "grouping"
    named = set(re.findall(r"`(\w+\.py)`", PAGE))
    assert {path.name for path in folder.glob("*.py")} - named == {"__init__.py", "progress.py"}
