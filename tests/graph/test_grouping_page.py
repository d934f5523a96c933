"""The examples of docs/grouping.md run and print what the page says."""

import re
from pathlib import Path

from mvlpt.graph.grouping.partition import METHODS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "grouping.md").read_text(encoding="utf-8")


def test_the_examples_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for block in re.findall(r"```python\n(.*?)```", PAGE, flags=re.S):
        exec(block, {})
        printed = capsys.readouterr().out.splitlines()
        said = [line.split("  # ")[1].split(";")[0] for line in block.splitlines() if line.startswith("print")]
        assert printed == said


def test_every_file_of_the_part_is_named():
    folder = Path(__file__).resolve().parents[2] / "mvlpt" / "graph"
    for name in re.findall(r"`(\w+\.py)`", PAGE):
        assert list(folder.rglob(name)), name


def test_every_method_is_in_the_table():
    table = PAGE.split("## Methods")[1].split("\n\n")[1]
    assert set(re.findall(r"`(\w+)`", table)) >= set(METHODS)
