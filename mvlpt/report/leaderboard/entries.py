"""Reads prediction files in pieces and keeps what the checks need: the fields, shapes and extreme values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mvlpt.io import JsonStream, limit, short_repr
from mvlpt.report.leaderboard.predictions_json import EQUAL_FIELDS, open_predictions, parse_row, rows_by_seed

MOST_ENTRIES = 1000


@dataclass
class Entry:
    """The content of one file, or of one data set of a zip.

    Attributes:
        source: the file.
        fields: everything except the numbers.
        rows: number of rows in each seed's table.
        widths: the different lengths of rows.
        low, high: the smallest and largest number.
        worst_sum: the row sum farthest from 1, and its location.
        problems: what is wrong with it, in sentences.
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
        """The data set's name; empty if the file has none."""
        name = self.fields.get("dataset_name")
        return name if isinstance(name, str) else ""

    @property
    def shots(self) -> int | None:
        """``n_shot``, or ``None`` if it is not a number."""
        return shots if is_int(shots := self.fields.get("n_shot")) else None

    @property
    def seeds(self) -> tuple[int, ...]:
        """``rnd_seeds``, empty if they are not numbers."""
        seeds = self.fields.get("rnd_seeds")
        return tuple(seeds) if isinstance(seeds, list) and all(is_int(seed) for seed in seeds) else ()


def read_entries(path: str | Path) -> list[Entry]:
    """Reads a prediction file or a submission's zip once, in pieces.

    Raises:
        DataError: it is missing or is not a prediction file.
    """
    with open_predictions(path) as stream:
        single, entries = Entry(str(path)), []
        for key in stream.members():
            if key == "data":
                for _ in stream.elements():
                    entries.append(Entry(str(path)))
                    if len(entries) > MOST_ENTRIES:
                        stream.fail(f"there are more than {MOST_ENTRIES:,} data sets")
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
    most = limit("MVLPT_MAX_VALUES")
    for number, (seed, row) in enumerate(rows_by_seed(stream), start=1):
        if number > most:
            stream.fail(f"there are more than {most:,} rows (MVLPT_MAX_VALUES raises the limit)")
        values = parse_row(row, stream)
        entry.rows.extend([0] * (seed + 1 - len(entry.rows)))
        where = f"seed {seed + 1}, row {entry.rows[seed] + 1}"
        entry.rows[seed] += 1
        entry.widths.add(len(values))
        if len(values) == 0:
            continue
        entry.low, entry.high = min(entry.low, float(values.min())), max(entry.high, float(values.max()))
        total = float(values.sum())
        if abs(total - 1) > abs(entry.worst_sum[0] - 1):
            entry.worst_sum = (total, where)


def group_entries(entries: Iterable[Entry]) -> list[Entry]:
    """One entry for each data set, with its seeds in order; entries without a name are ignored."""
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
            values = {short_repr(entry.fields.get(name)) for entry in members}
            if len(values) > 1:
                one.problems.append(f"its files differ in {name}: {', '.join(sorted(values))}")
        merged.append(one)
    return merged


def is_int(value: Any) -> bool:
    """A whole number of 63 bits at most; booleans do not count."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**62
