"""The examples of docs/engine.md run as they are printed."""

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "engine.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_the_examples_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results").mkdir()
    assert len(EXAMPLES) == 2
    for example in EXAMPLES:
        exec(compile(example, str(PAGE), "exec"), {})
    assert re.fullmatch(r"weather-plain accuracy \d+\.\d+", capsys.readouterr().out.strip().splitlines()[-1])
    assert (tmp_path / "results" / "table.json").read_text() == '{"accuracy": 93.1}'
    assert (tmp_path / "output" / "weather" / "results.jsonl").is_file()
