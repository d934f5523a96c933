"""Validates a leaderboard submission and merges its files into the zip that is sent in."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mvlpt.errors import DataError
from mvlpt.io import open_zip
from mvlpt.report.leaderboard.checks import check_entry, check_submission
from mvlpt.report.leaderboard.entries import Entry, group_entries, read_entries
from mvlpt.report.leaderboard.predictions_json import EQUAL_FIELDS, MEMBER, ZIP_NAME, Header, merge_files
from mvlpt.report.leaderboard.shapes import TaskShape, benchmark_shapes

Progress = Callable[[str], None]


@dataclass
class Verdict:
    """The result of a validation.

    Attributes:
        entries: what was read, in order.
        problems: sentences; empty if the submission can be sent in.
    """

    entries: list[Entry]
    problems: list[str]


def validate(
    path: str | Path,
    shapes: Mapping[str, TaskShape] | None = None,
    *,
    partial: bool = False,
    progress: Progress | None = None,
) -> Verdict:
    """Checks a file, a folder of files of single seeds, or a submission's zip.

    A single file is checked by itself; a folder or a zip must be a complete submission.

    Args:
        path: ``x.json``, a folder, or ``all_predictions.zip``.
        shapes: the benchmark, by default ELEVATER's 20.
        partial: allow missing data sets.
        progress: called with each file's name.

    Raises:
        DataError: there is nothing to check, or a zip or a single file cannot be read.
    """
    path, shapes = Path(path), shapes or benchmark_shapes()
    if path.is_dir():
        return _validate_folder(path, shapes, partial, progress or (lambda name: None))
    entries = read_entries(path)
    for entry in entries:
        entry.problems = check_entry(entry, shapes)
    if path.suffix != ".zip":
        return Verdict(entries, [f"{path}: {problem}" for entry in entries for problem in entry.problems])
    problems = [f"{entry.dataset or '?'}: {problem}" for entry in entries for problem in entry.problems]
    with open_zip(path) as archive:
        strays = [name for name in archive.namelist() if name != MEMBER]
    problems += [f"{path}: a submission contains only {MEMBER}, not '{name}'" for name in strays]
    return Verdict(entries, problems + check_submission(entries, shapes, partial))


def _validate_folder(folder: Path, shapes: Mapping[str, TaskShape], partial: bool, progress: Progress) -> Verdict:
    entries, problems = [], []
    names = sorted(folder.iterdir(), key=lambda file: file.name)
    for file in names:
        if file.name == ZIP_NAME or file.name.startswith("."):
            continue
        if file.suffix != ".json" or not file.is_file():
            problems.append(f"{file}: is not a prediction file (*.json)")
            continue
        progress(file.name)
        try:
            found = read_entries(file)
        except DataError as error:
            problems.append(str(error))
            continue
        for entry in found:
            entry.problems = check_entry(entry, shapes)
            if len(entry.seeds) > 1:
                entry.problems.append("contains several seeds; a file in a folder must contain one")
            problems += [f"{file}: {problem}" for problem in entry.problems]
        entries += found
    if not entries and not problems:
        raise DataError(
            f"The folder {folder} contains no prediction file (*.json); write some with: submission.py write"
        )
    groups = group_entries(entries)
    problems += [f"{entry.dataset}: {problem}" for entry in groups for problem in entry.problems]
    return Verdict(entries, problems + check_submission(groups, shapes, partial))


def merge(
    folder: str | Path,
    target: str | Path | None = None,
    shapes: Mapping[str, TaskShape] | None = None,
    *,
    partial: bool = False,
    progress: Progress | None = None,
) -> tuple[Path, Verdict]:
    """Checks a folder of single-seed files and merges them into the zip that is sent in.

    Args:
        folder: the files; the zip of an earlier merge is ignored.
        target: the zip, by default ``all_predictions.zip`` in the folder.
        shapes: the benchmark, by default ELEVATER's 20.
        partial: allow missing data sets; the leaderboard then shows no average.
        progress: called with each file's name.

    Returns:
        The zip, written only if there is no problem, and the verdict.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"There is no folder {folder} of prediction files")
    target = Path(target) if target else folder / ZIP_NAME
    verdict = validate(folder, shapes, partial=partial, progress=progress)
    if not verdict.problems:
        groups: dict[str, list[Entry]] = defaultdict(list)
        for entry in verdict.entries:
            groups[entry.dataset].append(entry)
        merge_files(
            ((_merged_header(members), [Path(entry.source) for entry in members]) for members in _ordered(groups)),
            target,
        )
    return target, verdict


def _ordered(groups: Mapping[str, list[Entry]]) -> list[list[Entry]]:
    return [sorted(groups[name], key=lambda entry: entry.seeds) for name in sorted(groups)]


def _merged_header(members: list[Entry]) -> Header:
    fields = {name: members[0].fields[name] for name in EQUAL_FIELDS}
    trained = statistics.fmean(entry.fields["num_trainable_params"] for entry in members)
    seeds = tuple(seed for entry in members for seed in entry.seeds)
    return Header(**fields, num_trainable_params=trained, rnd_seeds=seeds)
