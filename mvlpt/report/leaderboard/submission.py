"""Checks of a leaderboard submission, which the benchmark's own merger lacks, and merging."""

from __future__ import annotations

import statistics
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from mvlpt.data.sources import known_tasks
from mvlpt.errors import DataError, suggest
from mvlpt.io import JsonStream
from mvlpt.report.leaderboard.predictions_json import (
    EQUAL_FIELDS,
    FIELDS,
    MEMBER,
    ZIP_NAME,
    Header,
    merge_files,
    numbers,
    opened,
    tables,
)

SHOTS = {0: (0,), 5: (0, 1, 2), -1: (0,)}  # n_shot, and the seeds that the leaderboard asks for
TOLERANCE = 1e-3
Progress = Callable[[str], None]


class TaskShape(NamedTuple):
    """What a data set's predictions must look like."""

    images: int
    classes: int
    multi_label: bool = False


def benchmark_shapes() -> dict[str, TaskShape]:
    """ELEVATER's 20 data sets by canonical name."""
    return {
        metadata.name: TaskShape(metadata.sizes.test, metadata.num_classes, metadata.multi_label)
        for metadata in known_tasks("elevater")
    }


@dataclass
class Entry:
    """What one file, or one data set of a zip, holds.

    Attributes:
        source: the file.
        fields: everything but the numbers.
        rows: number of rows in each seed's table.
        widths: lengths of rows that occur.
        low, high: the smallest and largest number.
        worst_sum: the row sum farthest from 1, and where it is.
        problems: sentences.
    """

    source: str
    fields: dict[str, Any] = field(default_factory=dict)
    rows: list[int] = field(default_factory=list)
    widths: set[int] = field(default_factory=set)
    low: float = 0.0
    high: float = 0.0
    worst_sum: tuple[float, str] = (1.0, "")
    problems: list[str] = field(default_factory=list)

    @property
    def dataset(self) -> str:
        """The data set's name, empty where the file names none."""
        name = self.fields.get("dataset_name")
        return name if isinstance(name, str) else ""

    @property
    def shots(self) -> int | None:
        """``n_shot``, or ``None`` where it is no number."""
        return shots if _is_int(shots := self.fields.get("n_shot")) else None

    @property
    def seeds(self) -> tuple[int, ...]:
        """``rnd_seeds``, empty where they are no numbers."""
        seeds = self.fields.get("rnd_seeds")
        return tuple(seeds) if isinstance(seeds, list) and all(_is_int(seed) for seed in seeds) else ()


@dataclass
class Verdict:
    """The result of a validation.

    Attributes:
        entries: what was read, in order.
        problems: sentences; empty where the submission can be sent in.
    """

    entries: list[Entry]
    problems: list[str]


def read_entries(path: str | Path) -> list[Entry]:
    """Reads a prediction file or a submission's zip once, in pieces.

    Raises:
        DataError: it is missing or not JSON of that form.
    """
    with opened(path) as stream:
        single, entries = Entry(str(path)), []
        for key in stream.members():
            if key == "data":
                for _ in stream.elements():
                    entries.append(Entry(str(path)))
                    for inner in stream.members():
                        _read_field(stream, inner, entries[-1])
            else:
                _read_field(stream, key, single)
        stream.end()
    return entries or [single]


def _read_field(stream: JsonStream, key: str, entry: Entry) -> None:
    if key != "predictions":
        entry.fields[key] = stream.value()
        return
    for seed, row in tables(stream):
        values = numbers(row, stream)
        entry.rows.extend([0] * (seed + 1 - len(entry.rows)))
        place = f"seed {seed + 1}, row {entry.rows[seed] + 1}"
        entry.rows[seed] += 1
        entry.widths.add(len(values))
        if len(values) == 0:
            continue
        entry.low, entry.high = min(entry.low, float(values.min())), max(entry.high, float(values.max()))
        total = float(values.sum())
        if abs(total - 1) > abs(entry.worst_sum[0] - 1):
            entry.worst_sum = (total, place)


def check_entry(entry: Entry, shapes: Mapping[str, TaskShape]) -> list[str]:
    """What is wrong with an entry by itself, in sentences without the file's name."""
    missing = [name for name in FIELDS if name not in entry.fields]
    if missing:
        return [f"lacks {', '.join(missing)}; is it a prediction file?"]
    found = [f"has the unknown field '{name}'" for name in entry.fields if name not in FIELDS]
    for name in FIELDS:
        fault = _fault(name, entry.fields[name])
        if fault:
            found.append(f"{name} is {entry.fields[name]!r}, but must be {fault}")
    if entry.shots is not None and entry.shots not in SHOTS:
        found.append(f"n_shot is {entry.shots}; the leaderboard knows 0 (zero-shot), 5 and -1 (all data)")
    if len(entry.rows) != len(entry.seeds):
        found.append(f"predictions hold {len(entry.rows)} tables, but rnd_seeds names {len(entry.seeds)} seeds")
    if entry.low < 0 or entry.high > 1:
        found.append(f"numbers run from {entry.low:g} to {entry.high:g}; probabilities lie in [0, 1]")
    shape = shapes.get(entry.dataset)
    if shape is None:
        return [*found, f"dataset_name '{entry.dataset}' is not one of the benchmark's{suggest(entry.dataset, shapes)}"]
    if any(rows != shape.images for rows in entry.rows):
        found.append(f"has {', '.join(map(str, entry.rows))} rows a seed; the test split has {shape.images} images")
    if entry.widths - {shape.classes}:
        wrong = ", ".join(map(str, sorted(entry.widths - {shape.classes})))
        found.append(f"has rows of {wrong} numbers; {entry.dataset} has {shape.classes} classes")
    elif not shape.multi_label and abs(entry.worst_sum[0] - 1) > TOLERANCE:
        found.append(f"{entry.worst_sum[1]} sums to {entry.worst_sum[0]:.6g}; the rows of {entry.dataset} sum to 1")
    return found


def _fault(name: str, value: Any) -> str:
    if name in ("model_name", "dataset_name"):
        return "" if isinstance(value, str) and value else "a text"
    if name == "rnd_seeds":
        return "" if isinstance(value, list) and value and all(map(_is_int, value)) else "a list of whole numbers"
    if name == "num_trainable_params":
        return "" if _is_int(value) or (isinstance(value, float) and value >= 0) else "a number"
    return "" if _is_int(value) else "a whole number"


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def validate(
    path: str | Path,
    shapes: Mapping[str, TaskShape] | None = None,
    *,
    partial: bool = False,
    progress: Progress | None = None,
) -> Verdict:
    """Checks a file, a folder of files of single seeds, or a submission's zip.

    A single file is checked by itself; a folder and a zip must make a whole submission.

    Args:
        path: ``x.json``, a folder, or ``all_predictions.zip``.
        shapes: the benchmark, by default ELEVATER's 20.
        partial: data sets may be missing.
        progress: called with each file's name.

    Raises:
        DataError: there is nothing to check, or a zip or single file is not JSON.
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
    with zipfile.ZipFile(path) as archive:
        strays = [name for name in archive.namelist() if name != MEMBER]
    problems += [f"{path}: '{name}' does not belong in a submission" for name in strays]
    return Verdict(entries, problems + _check_whole(entries, shapes, partial))


def _validate_folder(folder: Path, shapes: Mapping[str, TaskShape], partial: bool, progress: Progress) -> Verdict:
    entries, problems = [], []
    names = sorted(folder.iterdir(), key=lambda file: file.name)
    for file in names:
        if file.name == ZIP_NAME or file.name.startswith("."):
            continue
        if file.suffix != ".json" or not file.is_file():
            problems.append(f"{file}: does not belong among the predictions")
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
                entry.problems.append("holds several seeds; a file among others holds one")
            problems += [f"{file}: {problem}" for problem in entry.problems]
        entries += found
    if not entries and not problems:
        raise DataError(f"The folder {folder} holds no prediction file (*.json); write some with: submission.py write")
    groups = _grouped(entries)
    problems += [f"{entry.dataset}: {problem}" for entry in groups for problem in entry.problems]
    return Verdict(entries, problems + _check_whole(groups, shapes, partial))


def _grouped(entries: Iterable[Entry]) -> list[Entry]:
    """One entry for each data set, its seeds in order; entries without a name are left out."""
    groups: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.dataset:
            groups[entry.dataset].append(entry)
    merged = []
    for _, members in sorted(groups.items()):
        members.sort(key=lambda entry: entry.seeds)
        one = Entry(", ".join(entry.source for entry in members), dict(members[0].fields))
        one.fields["rnd_seeds"] = [seed for entry in members for seed in entry.seeds]
        for name in EQUAL_FIELDS:
            values = {repr(entry.fields.get(name)) for entry in members}
            if len(values) > 1:
                one.problems.append(f"its files differ in {name}: {', '.join(sorted(values))}")
        merged.append(one)
    return merged


def _check_whole(entries: Sequence[Entry], shapes: Mapping[str, TaskShape], partial: bool) -> list[str]:
    """What is wrong between data sets: missing ones, the same twice, seeds, shots that differ."""
    problems: list[str] = []
    names = [entry.dataset for entry in entries]
    for name in sorted({name for name in names if names.count(name) > 1}):
        problems.append(f"{name}: stands there {names.count(name)} times")
    missing = [name for name in shapes if name not in names]
    if missing and not partial:
        problems.append(f"{len(missing)} of {len(shapes)} data sets are missing: {', '.join(missing)}")
    shots = {entry.shots for entry in entries}
    if len(shots) > 1:
        problems.append(f"n_shot differs between data sets: {', '.join(sorted(map(str, shots)))}")
    for entry in entries:
        wanted = SHOTS.get(entry.shots)
        if wanted is not None and entry.seeds != wanted:
            given = ", ".join(map(str, entry.seeds))
            asked = ", ".join(map(str, wanted))
            problems.append(f"{entry.dataset}: its seeds are {given or 'missing'}; the leaderboard asks for {asked}")
    return problems


def merge(
    folder: str | Path,
    target: str | Path | None = None,
    shapes: Mapping[str, TaskShape] | None = None,
    *,
    partial: bool = False,
    progress: Progress | None = None,
) -> tuple[Path, Verdict]:
    """Checks a folder of single-seed files and joins them into the zip that is sent in.

    Args:
        folder: the files; a zip of an earlier merge is left aside.
        target: the zip, by default ``all_predictions.zip`` in the folder.
        shapes: the benchmark, by default ELEVATER's 20.
        partial: data sets may be missing; the leaderboard then gives no average.
        progress: called with each file's name.

    Returns:
        The zip, which is only written where nothing is wrong, and the verdict.
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
