"""Measured affinity: how much a task gained from being trained together with another one.

Shapes: T tasks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from mvlpt.engine import TEST_SPLITS
from mvlpt.errors import GraphError, suggest
from mvlpt.graph.checks import check_matrix

SEPARATOR = "+"  # between the two tasks in the ``group`` of a row
ARMS = ("pair", "transfer")


def measured_gains(
    rows: Iterable[Mapping[str, Any]],
    tasks: Sequence[str],
    *,
    arm: str = "",
    trainer: str = "",
    shots: int | None = None,
) -> np.ndarray:
    """The gain of each task from each other one, in points of the tasks' metrics, from the rows of ``results.jsonl``.

        gain[i, j] = mean over seeds of  score of j, trained with i  -  score of j, trained alone

    with the opposite sign if a lower score is better. Rows of the arm ``pair`` (one prompt for two tasks) name both
    tasks in ``group``, joined by ``+``; rows of the arm ``transfer`` (a prompt adapted to ``task``) name the source
    task. Seeds without both scores are ignored.

    Args:
        rows: see :data:`mvlpt.engine.results.FIELDS`; rows of other splits, arms or tasks are ignored.
        tasks: the order of rows and columns.
        arm: ``pair`` or ``transfer``; empty: the one in the rows, ``pair`` if both are.
        trainer: of the rows to use; empty: the only one in the rows.
        shots: of the rows to use; ``None``: the only number in the rows.

    Returns:
        (T, T) float64, row i: the gain of each task from i; NaN where unmeasured, and on the diagonal.

    Raises:
        GraphError: there is no such row, the arm is unknown, the rows have several trainers or shots, or two runs have
            the same setting.
    """
    if arm and arm not in ARMS:
        raise GraphError(f"Gains are measured in the arms {' and '.join(ARMS)}, not '{arm}'{suggest(arm, ARMS)}")
    known = set(tasks)
    chosen = [row for row in rows if row["split"] in TEST_SPLITS and row["task"] in known]
    shared = [row for row in chosen if row["arm"] in ARMS and _partner(row, known)]
    if not shared:
        raise GraphError(
            "The results have no run of two of these tasks (a row of the arm 'pair' with the group 'TASK+TASK', or of "
            "'transfer' with a task as group); add the arm 'pair' to the experiment, or use --affinity grad"
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
            "so no gain can be computed"
        )
    index = {task: row for row, task in enumerate(tasks)}
    matrix = np.full((len(tasks), len(tasks)), np.nan)
    for (source, target), values in gains.items():
        matrix[index[source], index[target]] = np.mean(values)
    return matrix


def fill_one_sided(matrix: Any, tasks: Sequence[str]) -> np.ndarray:
    """Fills in gains that were measured in one direction only with the other direction; 0 on the diagonal.

    Args:
        matrix: (T, T) gains, NaN where unmeasured.
        tasks: names of the rows.

    Raises:
        GraphError: it is no table of gains of the tasks, or pairs were measured in neither direction; the message
            counts them and names one.
    """
    gains = check_matrix(matrix, tasks, name="table of measured gains", missing=True)
    filled = np.where(np.isnan(gains), gains.T, gains)
    np.fill_diagonal(filled, 0.0)
    missing = np.argwhere(np.triu(np.isnan(filled)))
    if len(missing):
        i, j = missing[0]
        raise GraphError(
            f"{len(missing)} of {len(tasks) * (len(tasks) - 1) // 2} pairs were not measured, for example "
            f"'{tasks[i]}' with '{tasks[j]}'; run them, or group only tasks whose pairs were all measured"
        )
    return filled


def _partner(row: Mapping[str, Any], known: set[str]) -> str:
    """The task that this row's task was trained with or started from; ``""`` if the group does not name one."""
    group, task = str(row["group"]), row["task"]
    if row["arm"] == "transfer":
        others = [group]
    else:
        parts = (group.removesuffix(SEPARATOR + task), group.removeprefix(task + SEPARATOR))
        others = [other for other in parts if other != group]
    return next((other for other in others if other in known and other != task), "")


def _scores(rows: Iterable[Mapping[str, Any]], known: set[str] | None = None) -> dict[tuple[str, str, int], Any]:
    """The row of the last epoch for each (task, partner, seed); the partner of a task alone is ``""``."""
    found: dict[tuple[str, str, int], Mapping[str, Any]] = {}
    for row in rows:
        key = (row["task"], _partner(row, known) if known else "", row["seed"])
        other = found.get(key)
        if other is not None and (other["run"], other["metric"]) != (row["run"], row["metric"]):
            raise GraphError(
                f"The results have two runs of {row['trainer']} on '{row['group'] or row['task']}' scored on "
                f"'{row['task']}' with seed {row['seed']} ({other['run']} and {row['run']}); keep one of them"
            )
        if other is None or row["epoch"] >= other["epoch"]:
            found[key] = row
    return found


def _only(rows: Sequence[Mapping[str, Any]], field: str, wanted: Any) -> Any:
    """The wanted value of a field, or the only one."""
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
