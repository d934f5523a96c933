"""docs/compare.md: its commands run in their order, and so does its Python."""

import re
import shlex
from pathlib import Path

from mvlpt.cli import main

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "compare.md").read_text(encoding="utf-8")


def test_the_pages_commands_and_python_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"```sh\n(.*?)```", PAGE, flags=re.S)
    short = ["OPTIM.MAX_EPOCH", "1", "RUN.TENSORBOARD", "False"]
    for line in block.splitlines():
        words = shlex.split(line)[1:]
        assert main([*words, *(short if words[0] == "train" else [])]) == 0, line
    shown = capsys.readouterr().out
    for expected in ("Runs differ in 1 option", "McNemar", "Images that changed sides", "2 runs in output: 2 finished"):
        assert expected in shown
    (python,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.S)
    exec(python, {})
    assert capsys.readouterr().out.splitlines() == re.findall(r"print\(.*\)  # (.*)", python)
    (again,) = re.findall(r"^    (mvlpt train .*)$", PAGE, flags=re.M)
    assert main(shlex.split(again)[1:]) == 0
    for name in ("index.json", "weather-dark.npy", "tools-dark.jsonl"):
        first, second = (tmp_path / "output" / run / "predictions" / name for run in ("lr1", "lr1-predictions"))
        assert name == "index.json" or first.read_bytes() == second.read_bytes()
    capsys.readouterr()
    assert main(["results", "output/lr1", "output/lr1-predictions", "--format", "csv"]) == 0
    assert {line.split(",")[3] for line in capsys.readouterr().out.splitlines()[1:]} == {"all", "evaluated"}
