"""The table of ``benchmarks/sharing.py``: one row for each score, appended as seeds complete.

Shapes: A arms, T tasks, S seeds. Scores are in percent; NaN stands for "not measured".
"""

from __future__ import annotations

import csv
import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mvlpt.io import atomic_write

FIELDS = ("trainer", "shots", "seed", "arm", "group", "task", "value")
PAIR, CHOSEN, ESTIMATE, KEEP, SHORT = "pair", "chosen", "estimate-", "keep", "short"
TRAINERS, SHOTS = ("VPT", "CoOp", "UPT"), (1, 2, 4, 8)
PARTS = ("arms", "shares", "pairs", "estimates", SHORT, CHOSEN)
Row = Mapping[str, Any]


def read_table(file: Path) -> list[dict[str, Any]]:
    """The rows of a table; none where there is no file."""
    if not file.exists():
        return []
    kinds = {"shots": int, "seed": int, "value": float}
    with file.open(newline="", encoding="utf-8") as handle:
        return [{key: kinds.get(key, str)(value) for key, value in row.items()} for row in csv.DictReader(handle)]


def write_table(rows: Iterable[Row], file: Path) -> None:
    """Writes the table sorted; the file appears whole."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(file) as handle:
        writer = csv.DictWriter(handle, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(rows, key=lambda row: tuple(row[key] for key in FIELDS)))


def part_of(row: Row) -> str:
    """The part of the measurement that a row belongs to, such as ``arms``."""
    if row["arm"] == f"{ESTIMATE}{SHORT}":
        return SHORT
    if row["arm"].startswith(ESTIMATE):
        return "estimates"
    if row["arm"].startswith(KEEP):
        return "shares"
    return {PAIR: "pairs", CHOSEN: "chosen"}.get(row["arm"], "arms")


def measured_units(rows: Iterable[Row]) -> set[tuple[str, int, int, str]]:
    """The (trainer, shots, seed, part) that the table holds; a part of a seed is written at once."""
    return {(row["trainer"], row["shots"], row["seed"], part_of(row)) for row in rows}


def settings(
    rows: Iterable[Row], trainers: Iterable[str] = TRAINERS, shots: Sequence[int] = SHOTS
) -> Iterator[tuple[str, int, list[Row]]]:
    """Trainer, images a class, and the rows of both; those that the table has."""
    of_setting = defaultdict(list)
    for row in rows:
        of_setting[row["trainer"], row["shots"]].append(row)
    for trainer, count in itertools.product(trainers, shots):
        if found := of_setting.get((trainer, count)):
            yield trainer, count, found


def fixed_arms(rows: Iterable[Row]) -> list[str]:
    """The arms that serve all tasks alike, each task alone first; those that every seed with their part has."""
    seeds_of, seeds_of_part = defaultdict(set), defaultdict(set)
    for row in rows:
        if (part := part_of(row)) in ("arms", "shares"):
            seeds_of[part, row["arm"]].add(row["seed"])
            seeds_of_part[part].add(row["seed"])
    names = [arm for (part, arm), seeds in seeds_of.items() if seeds == seeds_of_part[part]]
    return sorted(names, key=lambda name: (name != "single", name))


def score_array(rows: Sequence[Row], arms: Sequence[str]) -> tuple[np.ndarray, tuple[str, ...], tuple[int, ...]]:
    """Scores (A, T, S) of one trainer and number of shots, over the seeds that have every arm; tasks; seeds."""
    chosen = [row for row in rows if row["arm"] in arms]
    tasks = tuple(sorted({row["task"] for row in chosen}))
    have = {arm: {row["seed"] for row in chosen if row["arm"] == arm} for arm in arms}
    seeds = tuple(sorted(set.intersection(*have.values()))) if have else ()
    scores = np.full((len(arms), len(tasks), len(seeds)), np.nan)
    for row in chosen:
        if row["seed"] in seeds:
            scores[arms.index(row["arm"]), tasks.index(row["task"]), seeds.index(row["seed"])] = row["value"]
    return scores, tasks, seeds


def gain_array(rows: Sequence[Row]) -> tuple[np.ndarray, tuple[str, ...], tuple[int, ...]]:
    """Pair gains (source, target, S) over alone, NaN on the diagonal; tasks; seeds that have pairs and alone."""
    alone = {(row["task"], row["seed"]): row["value"] for row in rows if row["arm"] == "single"}
    pairs = [row for row in rows if row["arm"] == PAIR and (row["task"], row["seed"]) in alone]
    tasks, seeds = tuple(sorted({row["task"] for row in pairs})), tuple(sorted({row["seed"] for row in pairs}))
    gains = np.full((len(tasks), len(tasks), len(seeds)), np.nan)
    for row in pairs:
        [other] = [task for task in str(row["group"]).split("+") if task != row["task"]]
        index = tasks.index(other), tasks.index(row["task"]), seeds.index(row["seed"])
        gains[index] = row["value"] - alone[row["task"], row["seed"]]
    return gains, tasks, seeds


def estimate_arrays(rows: Sequence[Row], tasks: Sequence[str]) -> dict[str, np.ndarray]:
    """Each estimator's matrix (source, target) over tasks: the mean over the seeds that have it."""
    values = defaultdict(list)
    for row in rows:
        if row["arm"].startswith(ESTIMATE) and row["task"] in tasks and row["group"] in tasks:
            values[row["arm"].removeprefix(ESTIMATE), row["group"], row["task"]].append(row["value"])
    found: dict[str, np.ndarray] = {}
    for (name, source, target), seeds in values.items():
        matrix = found.setdefault(name, np.full((len(tasks), len(tasks)), np.nan))
        matrix[tasks.index(source), tasks.index(target)] = np.mean(seeds)
    return found
