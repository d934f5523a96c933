"""docs/search.md: its files load, its commands and its Python run."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

from mvlpt.cli import main
from mvlpt.experiment.search.settings import SearchSettings, search_problems

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "search.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_pages_experiment_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    experiment, section = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.S)
    content = yaml.safe_load(experiment)
    content["options"] |= {"OPTIM.MAX_EPOCH": 1, "RUN.TENSORBOARD": False}
    content["executor"] = {"name": "inline"}
    (tmp_path / "search.yaml").write_text(yaml.safe_dump(content))
    (block,) = re.findall(r"```sh\n(.*?)```", PAGE, flags=re.S)
    for line in block.splitlines():
        words = shlex.split(line)[1:]
        assert main([*words, *(["--no-calibrate"] if words[0] == "experiment" else [])]) == 0, line
    shown = capsys.readouterr().out
    assert "the first values stand in for them" in shown
    assert "6 candidates (grid) on 2 folds of the training images, 4-shot" in " ".join(shown.split())
    (python,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.S)
    exec(python, {})
    assert capsys.readouterr().out.splitlines() == ["MVLPT-VPT single ['OPTIM.LR']", "MVLPT-VPT all ['OPTIM.LR']"]
    assert list(search_problems(yaml.safe_load(section)["search"])) == []
    assert SearchSettings.from_section(yaml.safe_load(section)["search"]).budget == 20
