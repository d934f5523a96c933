"""The commands on the pages of the documentation: found, read, and marked where they need what a test has not."""

from __future__ import annotations

import importlib
import re
import shlex
from pathlib import Path
from typing import Any, NamedTuple

from support.imports import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
TOOLS = {"group_tasks": "group", "run_experiment": "experiment", "average_prompts": "average"}
PARSERS = {"features": "train", "demo": "demo"}


class Command(NamedTuple):
    """One command of a page: its words after ``mvlpt``, its line, and what it needs, as its block says."""

    words: list[str]
    line: str
    needs: str


def commands(page: Path) -> list[Command]:
    """The commands of ``mvlpt`` and of ``tools/`` in blocks of code, in order; examples with gaps are left out."""
    found = []
    for block in _blocks(page.read_text(encoding="utf-8")):
        needs = next((line.strip()[2:] for line in block if line.strip().startswith("# needs ")), "")
        for line in _joined(block):
            words = _words(line)
            if words:
                found.append(Command(words, line, needs))
    return found


def parser_of(words: list[str]) -> Any:
    """The parser of a command."""
    module = importlib.import_module(f"mvlpt.cli.{PARSERS.get(words[0], words[0])}")
    return module.build_parser()


def _blocks(text: str) -> list[list[str]]:
    every = re.findall(r"^```(\w*)\n(.*?)^```", text, flags=re.S | re.M)
    fenced = [block for language, block in every if language in ("", "sh", "bash", "console")]
    indented = re.findall(r"(?:^(?: {4}|\t).*\n)+", re.sub(r"```.*?```", "", text, flags=re.S), flags=re.M)
    return [block.splitlines() for block in (*fenced, *indented)]


def _joined(block: list[str]) -> list[str]:
    return re.sub(r"\\\n\s*", " ", "\n".join(block)).splitlines()


def _words(line: str) -> list[str]:
    line = line.strip().removeprefix("$ ")
    if not re.match(r"(mvlpt \w|python tools/\w+\.py )", line) or re.search(r"\.\.\.|…|\[.*\]|<|>", line.split("#")[0]):
        return []
    words = shlex.split(line, comments=True)
    if words[0] == "python":
        name = Path(words[1]).stem
        return [TOOLS.get(name, name), *words[2:]]
    return words[1:]
