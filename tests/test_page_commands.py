"""The pages of the documentation: every command is one that exists, and those of the pages for users run in order."""

import re

import pytest
from support.imports import ROOT
from support.pages import PAGES, commands, parser_of
from support.photos import write_photos
from support.registries import restored_registries

from mvlpt.cli import COMMANDS, main
from mvlpt.config import find_config

SHORT = ["OPTIM.MAX_EPOCH", "1", "RUN.TENSORBOARD", "False", "RUN.THREADS", "1"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_on_the_page_is_understood(page):
    for words, line, _ in commands(page):
        assert words[0] in COMMANDS, line
        if words[0] == "completion" or "--help" in words or words[0].startswith("--"):
            continue
        args = parser_of(words).parse_args(words[1:])
        for name in ("config_file", "dataset_config_file"):
            file = getattr(args, name, "") or ""
            if "configs/" in file:
                assert find_config(file).exists(), line


def page_runs(name, folder, monkeypatch, quick):
    """Runs the commands of a page in a folder, but those that need what a test has not."""
    monkeypatch.chdir(folder)
    run = [command for command in commands(ROOT / "docs" / name) if not command.needs]
    assert run
    for words, line, _ in run:
        assert main(quick(words)) == 0, line
    return run


def quick(words):
    return [*words, "--quiet", *SHORT] if words[0] == "train" else words


def write_study(page, folder):
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    (block,) = re.findall(r"```yaml\n(.*?)```", text, flags=re.S)
    short = block.replace("seeds: [1, 2]", "seeds: 1").replace("MAX_EPOCH: 10", "MAX_EPOCH: 1")
    assert short != block
    (folder / "study.yaml").write_text(short + "executor: {name: inline}\n")


@pytest.mark.slow
def test_the_page_from_pictures_to_predictions(tmp_path, monkeypatch, capfd):
    for name, classes in {"birds": ("red", "blue"), "trees": ("green", "blue"), "signs": ("red", "white")}.items():
        write_photos(tmp_path / "photos" / name, classes, each=8)
    write_study("twenty-folders.md", tmp_path)
    page_runs("twenty-folders.md", tmp_path, monkeypatch, quick)
    for file in ("birds.png", "labels.csv", "output/birds-open-clip/README.md", "output/study/report.html"):
        assert (tmp_path / file).is_file(), file
    assert "Plan of" in capfd.readouterr().out


def test_the_page_for_clusters(tmp_path, monkeypatch, capfd):
    page_runs("benchmarks-on-a-cluster.md", tmp_path, monkeypatch, quick)
    said = capfd.readouterr().out
    assert "Plan of 709 jobs" in said
    assert "missing on this machine" in said


def test_the_plugin_of_the_page_on_trainers(tmp_path, monkeypatch, capsys):
    page = ROOT / "docs" / "trainers.md"
    text = page.read_text(encoding="utf-8")
    (block,) = [found for found in re.findall(r"```python\n(.*?)```", text, flags=re.S) if "ShortPrompt" in found]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "short.py").write_text(block)
    (line,) = [command for command in commands(page) if "--plugin" in command.words]
    with restored_registries():
        assert main([*line.words, "--quiet", *SHORT]) == 0


def test_the_plan_of_the_demo_is_shown_as_the_help_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = ["schedule", "plan", "configs/experiments/demo.yaml", "--slots", "2", "--picture", "plan.png"]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "The groups are not known yet; equal parts of the tasks stand in for them" in said
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")] == ["plan.png"]
