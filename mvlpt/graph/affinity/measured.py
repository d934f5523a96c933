"""Affinity that was measured: how much better a task did when it was trained together with another one.

Shapes: T tasks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from mvlpt.engine.results import TEST_SPLITS
from mvlpt.errors import GraphError, suggest

JOINER = "+"  # between the two tasks in the ``group`` of a row
ARMS = ("pair", "transfer")


def measured_gains(
    rows: Iterable[Mapping[str, Any]],
    tasks: Sequence[str],
    *,
    arm: str = "",
    trainer: str = "",
    shots: int | None = None,
) -> np.ndarray:
    """What each task gained from each other one, in points of the tasks' metrics, from the rows of ``results.jsonl``.

        gain[i, j] = mean over seeds of  score of j, trained with i  -  score of j, trained alone

    with the sign turned where a lower score is better. Rows of the arm ``pair`` (one prompt for two tasks) name both in
    ``group``, joined by ``+``; rows of the arm ``transfer`` (a prompt adapted to ``task``) name the task that it comes
    from. Seeds that lack one of the two scores do not count.

    Args:
        rows: see :data:`mvlpt.engine.results.FIELDS`; rows on other splits, arms or tasks are passed over.
        tasks: the order of rows and columns.
        arm: ``pair`` or ``transfer``; empty: the one that is there, ``pair`` where both are.
        trainer: whose rows; empty: the one that is there.
        shots: of which rows; ``None``: the number that is there.

    Returns:
        (T, T) float64, row i: what each task gained from i; nan where that was not measured, and on the diagonal.

    Raises:
        GraphError: no such row, an unknown arm, several trainers or shots to choose from, or two runs of one setting.
    """
    if arm and arm not in ARMS:
        raise GraphError(f"Gains are measured in the arms {' and '.join(ARMS)}, not '{arm}'{suggest(arm, ARMS)}")
    known = set(tasks)
    chosen = [row for row in rows if row["split"] in TEST_SPLITS and row["task"] in known]
    shared = [row for row in chosen if row["arm"] in ARMS and _partner(row, known)]
    if not shared:
        raise GraphError(
            "The results hold no run of two of these tasks: rows of the arm 'pair' with the group 'TASK+TASK', or of "
            "'transfer' with a task as group; add the arm 'pair' to the experiment, or take --affinity grad"
        )
    arms = {row["arm"] for row in shared}
    arm = arm or ("pair" if "pair" in arms else "transfer")
    shared = [row for row in shared if row["arm"] == arm]
    trainer = _only(shared, "trainer", trainer)
    shots = _only(shared, "shots", shots)
    alone = _scores(
        row for row in chosen if row["arm"] == "single" and row["trainer"] == trainer and row["shots"] == shots
    )
    gains: dict[tuple[str, str], list[float]] = defaultdict(list)
    mine = (row for row in shared if row["trainer"] == trainer and row["shots"] == shots)
    for (task, partner, seed), row in _scores(mine, known).items():
        base = alone.get((task, "", seed))
        if base is not None:
            sign = 1.0 if row["higher_is_better"] else -1.0
            gains[partner, task].append(sign * (row["value"] - base["value"]))
    if not gains:
        raise GraphError(
            f"No task of a pair has a run of the arm 'single' with {trainer}, {shots} shots and the same seed, "
            "so no gain can be told"
        )
    place = {task: index for index, task in enumerate(tasks)}
    matrix = np.full((len(tasks), len(tasks)), np.nan)
    for (source, target), values in gains.items():
        matrix[place[source], place[target]] = np.mean(values)
    return matrix


def fill_one_sided(matrix: np.ndarray, tasks: Sequence[str]) -> np.ndarray:
    """Gains for grouping: where one direction of a pair was not measured, the other stands for it; 0 on the diagonal.

    Raises:
        GraphError: a pair was measured in neither direction; the message counts them and names one.
    """
    filled = np.where(np.isnan(matrix), matrix.T, matrix)
    np.fill_diagonal(filled, 0.0)
    missing = np.argwhere(np.triu(np.isnan(filled)))
    if len(missing):
        i, j = missing[0]
        raise GraphError(
            f"{len(missing)} of {len(tasks) * (len(tasks) - 1) // 2} pairs were not measured, '{tasks[i]}' with "
            f"'{tasks[j]}' the first of them; run them, or group only tasks whose pairs were all measured"
        )
    return filled


def _partner(row: Mapping[str, Any], known: set[str]) -> str:
    """The task that this row's task was trained with, or started from; ``""`` where the group does not name one."""
    group, task = str(row["group"]), row["task"]
    if row["arm"] == "transfer":
        others = [group]
    else:
        parts = (group.removesuffix(JOINER + task), group.removeprefix(task + JOINER))
        others = [other for other in parts if other != group]
    return next((other for other in others if other in known and other != task), "")


def _scores(rows: Iterable[Mapping[str, Any]], known: set[str] | None = None) -> dict[tuple[str, str, int], Any]:
    """The row of the last epoch for each (task, partner, seed); the partner is ``""`` for a task alone."""
    found: dict[tuple[str, str, int], Mapping[str, Any]] = {}
    for row in rows:
        key = (row["task"], _partner(row, known) if known else "", row["seed"])
        other = found.get(key)
        if other is not None and (other["run"], other["metric"]) != (row["run"], row["metric"]):
            raise GraphError(
                f"The results hold two runs of {row['trainer']} on '{row['group'] or row['task']}' scored on "
                f"'{row['task']}' with seed {row['seed']} ({other['run']} and {row['run']}); keep one of them"
            )
        if other is None or row["epoch"] >= other["epoch"]:
            found[key] = row
    return found


def _only(rows: Sequence[Mapping[str, Any]], field: str, wanted: Any) -> Any:
    """The value of a field: the one that is wanted, or the only one there is."""
    values = sorted({row[field] for row in rows}, key=str)
    if wanted in (None, ""):
        if len(values) > 1:
            raise GraphError(
                f"The pair runs differ in {field} ({', '.join(map(str, values))}); choose one with --{field}"
            )
        return values[0]
    if wanted not in values:
        raise GraphError(f"No pair run has {field} {wanted}; there are {', '.join(map(str, values))}")
    return wanted
