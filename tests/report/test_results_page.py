"""docs/results.md: its example from Python runs."""

import re
from pathlib import Path

from support.scores import row, write_run, zero_shot

ROOT = Path(__file__).resolve().parents[2]


def test_the_example_from_python_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_run(Path("output/demo/one"), [row("weather-dark", 50), row("weather-plain", 60)])
    write_run(Path("output/demo/zero"), [zero_shot("weather-dark", 40), zero_shot("weather-plain", 50)])
    block, _ = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "results.md").read_text(encoding="utf-8"), re.S)
    exec(block, {})
    shown = capsys.readouterr().out
    assert "Mean test score % over 2 tasks" in shown
    assert "dark" in shown
    assert "+10.0" in shown
