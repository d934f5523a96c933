"""The README's commands run, in their order, and the links of all pages lead somewhere."""

import re
import shlex
from pathlib import Path

import pytest

from mvlpt.cli import main

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands():
    blocks = re.findall(r"```sh\n(.*?)```", README, flags=re.S)
    return [
        shlex.split(line, comments=True)
        for block in blocks
        for line in block.splitlines()
        if line.startswith("mvlpt train")
    ]


def test_the_readmes_commands_run_in_their_order(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert len(commands()) >= 4
    for words in commands():
        assert main([*words[1:], "OPTIM.MAX_EPOCH", "1", "RUN.TENSORBOARD", "False"]) == 0, " ".join(words)
    assert (tmp_path / "output" / "evaluated" / "results.jsonl").is_file()


def test_the_readmes_python_runs():
    import torch

    (block,) = re.findall(r"```python\n(.*?)```", README, flags=re.S)
    space = {"images": torch.zeros(2, 3, 48, 48)}
    exec(block, space)
    assert space["logits"].shape == (2, 3)


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
