"""The example of docs/affinity.md runs and prints what the page says."""

import re
from pathlib import Path

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "affinity.md").read_text(encoding="utf-8")


def test_the_example_runs(capsys):
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.S)
    exec(block, {})
    expected = re.search(r"print.*  # (.*)", block).group(1)
    assert capsys.readouterr().out.strip() == expected
