"""The rules of a submission, which the benchmark's own merger does not check. Every problem is one sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mvlpt.errors import suggest
from mvlpt.io import short_repr
from mvlpt.report.leaderboard.entries import Entry, is_int
from mvlpt.report.leaderboard.predictions_json import FIELDS
from mvlpt.report.leaderboard.shapes import TaskShape

SHOTS = {0: (0,), 5: (0, 1, 2), -1: (0,)}  # n_shot, and the seeds that the leaderboard requires
TOLERANCE = 1e-3


def check_entry(entry: Entry, shapes: Mapping[str, TaskShape]) -> list[str]:
    """The problems of a single entry, in sentences without the file's name."""
    missing = [name for name in FIELDS if name not in entry.fields]
    if missing:
        return [f"has no {', '.join(missing)}; is it a prediction file?"]
    found = [f"has the unknown field '{name[:80]}'" for name in entry.fields if name not in FIELDS]
    for name in FIELDS:
        fault = _fault(name, entry.fields[name])
        if fault:
            found.append(f"{name} is {short_repr(entry.fields[name], 60)}, but must be {fault}")
    if entry.shots is not None and entry.shots not in SHOTS:
        found.append(f"n_shot is {entry.shots}; the leaderboard accepts 0 (zero-shot), 5 and -1 (all data)")
    if len(entry.rows) != len(entry.seeds):
        found.append(f"predictions contain {len(entry.rows)} tables, but rnd_seeds lists {len(entry.seeds)} seeds")
    if entry.low < 0 or entry.high > 1:
        found.append(f"numbers range from {entry.low:g} to {entry.high:g}; probabilities must be in [0, 1]")
    shape = shapes.get(entry.dataset)
    if shape is None:
        return [*found, f"dataset_name '{entry.dataset}' is not one of the benchmark's{suggest(entry.dataset, shapes)}"]
    if any(rows != shape.images for rows in entry.rows):
        found.append(f"has {', '.join(map(str, entry.rows))} rows a seed; the test split has {shape.images} images")
    if entry.widths - {shape.classes}:
        wrong = ", ".join(map(str, sorted(entry.widths - {shape.classes})))
        found.append(f"has rows of {wrong} numbers; {entry.dataset} has {shape.classes} classes")
    elif not shape.multi_label and abs(entry.worst_sum[0] - 1) > TOLERANCE:
        found.append(
            f"{entry.worst_sum[1]} sums to {entry.worst_sum[0]:.6g}; the rows of {entry.dataset} must sum to 1"
        )
    return found


def _fault(name: str, value: Any) -> str:
    if name in ("model_name", "dataset_name"):
        return "" if isinstance(value, str) and value else "a string"
    if name == "rnd_seeds":
        return "" if isinstance(value, list) and value and all(map(is_int, value)) else "a list of whole numbers"
    if name == "num_trainable_params":
        return "" if is_int(value) or (isinstance(value, float) and 0 <= value < 2**62) else "a number"
    return "" if is_int(value) else "a whole number"


def check_submission(entries: Sequence[Entry], shapes: Mapping[str, TaskShape], partial: bool) -> list[str]:
    """Problems of the whole submission: missing or repeated data sets, wrong seeds, different shots."""
    problems: list[str] = []
    names = [entry.dataset for entry in entries]
    for name in sorted({name for name in names if names.count(name) > 1}):
        problems.append(f"{name}: appears {names.count(name)} times")
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
            problems.append(f"{entry.dataset}: its seeds are {given or 'missing'}; the leaderboard requires {asked}")
    return problems
