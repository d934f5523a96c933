"""The example of docs/choosing.md runs and prints what the page says."""

import re
from pathlib import Path

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "choosing.md").read_text(encoding="utf-8")


def test_the_example_runs(capsys):
    [block] = re.findall(r"```python\n(.*?)```", PAGE, flags=re.S)
    exec(block, {})
    said = [line.split("  # ")[1] for line in block.splitlines() if line.startswith("print")]
    assert capsys.readouterr().out.splitlines() == said
