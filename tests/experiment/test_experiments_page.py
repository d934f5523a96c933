"""docs/experiments.md: its example from Python runs, and its table names every arm."""

import re
from pathlib import Path

from mvlpt.arms import ARMS
from mvlpt.experiment.arms.registry import RUN_FUNCTIONS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "experiments.md").read_text(encoding="utf-8")


def test_the_example_from_python_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.S)
    exec(block, {})
    expected = re.findall(r"print\(.*\)  # (.*)", block)
    assert capsys.readouterr().out.splitlines() == expected


def test_the_table_names_every_arm_and_every_arm_has_its_runs():
    selectable = {arm.name for arm in ARMS.values() if arm.selectable}
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, flags=re.M)) >= selectable
    assert set(RUN_FUNCTIONS) == selectable | {"zero_shot"}  # the others are parts of these, or made by hand
