"""How each number is reproduced: commands, configuration, versions, files."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mvlpt.config import flatten, read_yaml
from mvlpt.engine import CONFIG_FILE, RESULTS_FILE
from mvlpt.errors import MvlptError
from mvlpt.experiment import load_experiment
from mvlpt.io import read_text
from mvlpt.report.page import methods as names
from mvlpt.report.page.content import Content, Section
from mvlpt.report.page.html_tables import Cell, Heading, Table
from mvlpt.report.page.runs import Run
from mvlpt.report.page.sections.curves import method_of

LARGEST = 200_000  # bytes of an experiment file


def build(content: Content) -> Section:
    """Always there: at least where the numbers come from."""
    return Section(
        "reproduce",
        "How to reproduce this",
        "reproduce.html.jinja",
        {
            "commands": _commands(content),
            "experiment": content.attempt(lambda: _experiment(content)),
            "versions": _versions(content),
            "examples": _examples(content),
            "options": content.attempt(lambda: _options(content)) if content.is_run else None,
            "folder": str(content.root.resolve()),
            "results": RESULTS_FILE,
        },
    )


def _commands(content: Content) -> list[tuple[str, str]]:
    root = shlex.quote(str(content.root))
    if content.is_run:
        command = _recorded_command(content, content.runs[0])
        return [("this run", command)] if command else []
    found = []
    if content.plan is not None and content.plan.metadata.get("experiment"):
        file = shlex.quote(str(content.plan.metadata["experiment"]))
        found.append(("all of it", f"mvlpt experiment --config-file {file} --output-dir {root}"))
    found += [("the tables", f"mvlpt results {root}"), ("this page", f"mvlpt report {root}")]
    return found


def _recorded_command(content: Content, run: Run) -> str:
    """The command in a run's record; empty where there is none."""
    words = content.run_records.get(run.folder, {}).get("command")
    return shlex.join(map(str, words)) if isinstance(words, list) else ""


def _experiment(content: Content) -> str | None:
    """The experiment file, where it is still there, and is one: a plan could name any other."""
    named = content.plan.metadata.get("experiment") if content.plan is not None else None
    if not isinstance(named, str) or not named.endswith((".yaml", ".yml")) or not Path(named).is_file():
        return None
    try:
        load_experiment(named)
    except MvlptError:
        return None
    return read_text(named, largest=LARGEST)


def _versions(content: Content) -> list[tuple[str, str]]:
    """What the runs record of themselves; several values where runs differ."""
    values: dict[str, dict[str, None]] = {}
    for record in content.run_records.values():
        versions = record.get("versions")
        known = {
            **(versions if isinstance(versions, Mapping) else {}),
            **{key: record.get(key) for key in ("device", "threads")},
        }
        trained = record.get("trained_with")
        if isinstance(trained, Mapping):
            known |= {
                "backbone": trained.get("backbone"),
                "weights of the backbone (hash)": str(trained.get("fingerprint", ""))[:16],
            }
        for key, value in known.items():
            if value not in (None, ""):
                values.setdefault(str(key), {})[str(value)] = None
    return [(key, ", ".join(list(found)[:6])) for key, found in values.items()]


def _examples(content: Content) -> Table | None:
    """One run of each method: the command that makes it, and where it lies."""
    if content.is_run or content.table is None:
        return None
    rows, seen = [], set()
    for run in content.runs:
        method = method_of(content, run)
        if method is None or method in seen:
            continue
        seen.add(method)
        command = run.command or _recorded_command(content, run)
        rows.append([Cell(names.short_name(method, content.table)), Cell(run.name), Cell(command)])
    headings = [
        Heading("method", number=False),
        *(Heading(text, number=False, long=True) for text in ("folder", "command")),
    ]
    return Table(
        "A run of each method; every other differs in task, seed and folder only", headings, rows, sortable=False
    )


def _options(content: Content) -> list[tuple[str, Any]]:
    """The resolved options of a run."""
    return [(key, value) for key, value in flatten(read_yaml(content.root / CONFIG_FILE))]
