"""The README's commands run, in their order, and the links of all pages lead somewhere."""

import re
import shlex
from pathlib import Path

import pytest
from support.toy import draw

from mvlpt.cli import main
from mvlpt.config import read_yaml

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands(verb):
    blocks = re.findall(r"```sh\n(.*?)```", README, flags=re.S)
    lines = [shlex.split(line, comments=True) for block in blocks for line in block.splitlines()]
    return [words for words in lines if words[:2] == ["mvlpt", verb]]


def test_the_readmes_commands_run_in_their_order(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert len(commands("train")) >= 4
    for words in commands("train"):
        assert main([*words[1:], "OPTIM.MAX_EPOCH", "1", "RUN.TENSORBOARD", "False"]) == 0, " ".join(words)
    assert (tmp_path / "output" / "evaluated" / "results.jsonl").is_file()
    for number in range(2):
        path = tmp_path / ("photo.jpg" if number else "photos/one.png")
        path.parent.mkdir(exist_ok=True)
        draw("red", number, "photos").save(path)
    assert len(commands("predict")) >= 4
    for words in commands("predict"):
        assert main(words[1:]) == 0, " ".join(words)
    assert len((tmp_path / "labels.csv").read_text().splitlines()) == 2
    for verb in ("compare", "runs", "clean", "export"):
        assert commands(verb)
        for words in commands(verb):
            assert main(words[1:]) == 0, " ".join(words)
    assert (tmp_path / "output" / "longer-open_clip" / "README.md").is_file()


@pytest.mark.slow
def test_the_readmes_groups_are_picked(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert len(commands("group")) >= 3
    for words in commands("group"):
        few = ["--steps", "1"] if "--affinity" in words else []
        assert main([*words[1:], "--no-pictures", *few]) == 0, " ".join(words)
    assert len(read_yaml(tmp_path / "out" / "four" / "groups.yaml")["groups"]) == 4


def test_the_readmes_experiment_is_planned_as_it_stands(tmp_path, monkeypatch, capsys):
    """The demo itself takes minutes; `make demo` runs it. Its folder is looked at by commands with good options."""
    monkeypatch.chdir(tmp_path)
    dry, full = commands("experiment")
    assert main(dry[1:]) == 0
    assert "Plan of 379 jobs" in capsys.readouterr().out  # six groups stand in for those not picked yet
    assert [word for word in dry if word != "--dry-run"] == full
    (tmp_path / "output" / "demo").mkdir(parents=True)
    for verb, expected in (("schedule", "plan.json"), ("results", "results.jsonl"), ("report", "plan.json")):
        assert commands(verb)
        for words in commands(verb):
            assert main(words[1:]) == 2
            assert expected in capsys.readouterr().err


def test_the_readmes_python_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    space = {}
    for block in re.findall(r"```python\n(.*?)```", README, flags=re.S):
        exec(block, space)
    assert space["logits"].shape == (2, 3)
    expected = re.findall(r"print\(.*\)  # (.*)", README)
    assert capsys.readouterr().out.splitlines() == expected


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_make_target_that_the_readme_names_exists():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\w+)", README, flags=re.M):
        assert re.search(rf"^{target}:", makefile, flags=re.M), target
