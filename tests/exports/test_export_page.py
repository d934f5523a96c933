"""docs/export.md: its commands and its Python run."""

import re
import shlex
from importlib.util import find_spec
from pathlib import Path

import pytest

from mvlpt.cli import main
from mvlpt.exports import EXPORT_FORMATS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "export.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_pages_commands_and_python_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"```sh\n(.*?)```", PAGE, flags=re.S)
    for line in block.splitlines():
        words = shlex.split(line)[1:]
        if "onnx" in words and not all(map(find_spec, ("onnx", "onnxscript"))):
            continue
        short = ["OPTIM.MAX_EPOCH", "1", "RUN.TENSORBOARD", "False"] if words[0] == "train" else []
        assert main([*words, *short]) == 0, line
    capsys.readouterr()
    _, usage, plugin = re.findall(r"```python\n(.*?)```", PAGE, flags=re.S)
    exec(usage, {})
    assert capsys.readouterr().out.splitlines() == re.findall(r"print\(.*\)  # (.*)", usage)
    (tmp_path / "names.py").write_text(plugin)
    try:
        words = ["--plugin", "names.py", "--to", "names", "--out", "output/names"]
        assert main(["export", "output/text", *words]) == 0
        assert "flashlight" in (tmp_path / "output" / "names" / "names.txt").read_text()
    finally:
        EXPORT_FORMATS._entries.pop("names", None)
