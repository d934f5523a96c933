"""Finds the folders of runs, without following links."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from mvlpt.errors import RunFolderError
from mvlpt.report.runs.record import STATE_FILE, RunRecord, read_run


def find_runs(folder: str | os.PathLike[str]) -> list[RunRecord]:
    """The runs in and below a folder, sorted by path; hidden folders and links to folders are left out.

    Raises:
        RunFolderError: the folder is missing.
    """
    top = Path(folder)
    if not top.is_dir():
        raise RunFolderError(f"No folder {top}; name one that holds runs")
    return [read_run(path) for path in sorted(_run_folders(top))]


def _run_folders(top: Path) -> Iterator[Path]:
    waiting = [os.fspath(top)]
    while waiting:
        here = waiting.pop()
        try:
            with os.scandir(here) as entries:
                found = list(entries)
        except OSError:  # not readable
            continue
        for entry in found:
            if entry.name == STATE_FILE and entry.is_file(follow_symlinks=False):
                yield Path(here)
            elif not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)
