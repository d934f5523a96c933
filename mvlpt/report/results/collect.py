"""Finds the results of many runs and brings them together in one file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mvlpt.engine.results import FIELDS, FILE, read_results
from mvlpt.errors import RunFolderError
from mvlpt.io import atomic_write
from mvlpt.report.results.scores import PLACE

RUN_FILES = ("run.json", "config.yaml")  # what makes a folder a run's own


def results_files(root: str | os.PathLike[str]) -> list[Path]:
    """Every ``results.jsonl`` in and below a folder, sorted by path.

    A file that lies above others, in a folder that is no run's own, was collected from them and is left out.

    Raises:
        RunFolderError: the folder is missing or holds no results.
    """
    folder = Path(root)
    if not folder.is_dir():
        raise RunFolderError(f"No folder of runs and no results file at {folder}")
    found = sorted(folder.rglob(FILE))
    above = {parent for file in found for parent in file.parent.parents}
    kept = [file for file in found if file.parent not in above or _is_run(file.parent)]
    if not kept:
        raise RunFolderError(f"No {FILE} in or below {folder}; has a run of it finished?")
    return kept


def collect_rows(paths: Sequence[str | os.PathLike[str]]) -> list[dict[str, Any]]:
    """The rows of files, and of all runs below folders, each with its file under the key :data:`PLACE`.

    Raises:
        RunFolderError: nothing is there, or a file cannot be read.
    """
    files: dict[Path, Path] = {}
    for path in paths:
        for file in [Path(path)] if Path(path).is_file() else results_files(path):
            files.setdefault(file.resolve(), file)
    return [{**row, PLACE: str(file)} for file in files.values() for row in read_results(file)]


def write_collection(root: str | os.PathLike[str]) -> tuple[Path, int]:
    """Writes ``root/results.jsonl`` from the runs below ``root``; returns it and how many rows it holds.

    The file appears whole, in the order of the runs' folders; what it held before is replaced.

    Raises:
        RunFolderError: nothing is there, ``root`` is a file, or a run's own folder, whose results must stay.
    """
    folder = Path(root)
    if folder.is_file():
        raise RunFolderError(f"{folder} is a file; name the folder whose runs are to be collected")
    if folder.is_dir() and _is_run(folder):
        raise RunFolderError(f"{folder} is the folder of one run, whose {FILE} is its own; name a folder above it")
    rows = _distinct(row for file in results_files(folder) for row in read_results(file))
    target = folder / FILE
    with atomic_write(target) as handle:
        for row in rows:
            handle.write(json.dumps(row, ensure_ascii=False) + "\n")
    return target, len(rows)


def _distinct(rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return list({tuple(row[field] for field in FIELDS): row for row in rows}.values())


def _is_run(folder: Path) -> bool:
    return any((folder / name).exists() for name in RUN_FILES)
