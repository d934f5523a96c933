"""Tables with the score of each task in each candidate set: read from CSV or TSV, or predicted from pairs.

A row for each candidate set, a column for each task (empty if the task is not in the set), and a column ``cost`` if the
sets have different costs:

    caltech,pets,eurosat,cost
    93.1,,,1
    ,88.0,,1
    93.4,88.9,,1.5

Shapes: S sets, T tasks.
"""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mvlpt.errors import GraphError, suggest
from mvlpt.graph.checks import check_tasks
from mvlpt.io import parse_csv, read_text

COST = "cost"
MAX_BYTES = 64 * 2**20
MAX_SETS = 50_000  # predicted at once
MAX_TASKS = 12  # for which sets of every size are predicted by default


@dataclass(frozen=True)
class ScoreTable:
    """Candidate sets of tasks, and the score of each task in them.

    Attributes:
        sets: S tuples of task names.
        scores: S mappings from the set's tasks to their scores.
        costs: S costs, all 1.0 if none were given.
        tasks: T names, in the order of the columns.
    """

    sets: tuple[tuple[str, ...], ...]
    scores: tuple[dict[str, float], ...]
    costs: tuple[float, ...]
    tasks: tuple[str, ...]

    def up_to(self, size: int) -> ScoreTable:
        """The rows of sets with at most ``size`` tasks."""
        kept = [row for row, tasks in enumerate(self.sets) if len(tasks) <= size]
        return ScoreTable(
            *(tuple(column[row] for row in kept) for column in (self.sets, self.scores, self.costs)), self.tasks
        )


def read_score_table(path: str | os.PathLike[str], tasks: Iterable[str] | None = None) -> ScoreTable:
    """Reads a table.

    Args:
        path: CSV, or TSV if the first line has a tab.
        tasks: the tasks that the columns must name, all of them and no others; ``None``: any tasks.

    Raises:
        GraphError: the file is missing or empty; a column is unknown, missing or repeated; a cell is not a number; a
            set has no task; a cost is missing or below 0; or two rows have the same set and cost. The message names
            file and line.
    """
    file = Path(path)
    text = read_text(file, error=GraphError, largest=MAX_BYTES, missing=f"No score table at {file}")
    delimiter = "\t" if "\t" in text.partition("\n")[0] else ","
    table = parse_csv(text, file, error=GraphError, remedy="correct the table", delimiter=delimiter)
    rows = [(line, [cell.strip() for cell in row]) for line, row in table]
    if len(rows) < 2:
        raise GraphError(f"{file} has no candidate set; give a line of column names and a line for each set")
    header = _header(file, rows[0][1], tasks)
    sets, scores, costs = [], [], []
    lines: dict[tuple[frozenset[str], float], int] = {}
    for line, cells in rows[1:]:
        values = _row(f"{file}, line {line}", header, cells)
        cost = values.pop(COST, 1.0)
        key = (frozenset(values), cost)
        if key in lines:
            raise GraphError(
                f"{file}, line {line} repeats the set of line {lines[key]} ({', '.join(values)}); keep one"
            )
        lines[key] = line
        sets.append(tuple(values))
        scores.append(values)
        costs.append(cost)
    return ScoreTable(tuple(sets), tuple(scores), tuple(costs), tuple(name for name in header if name != COST))


def _header(file: Path, header: list[str], tasks: Iterable[str] | None) -> list[str]:
    """The column names, checked."""
    named = [name for name in header if name != COST]
    check_tasks(named, f"{file}, line 1,")
    if header.count(COST) > 1:
        raise GraphError(f"{file}, line 1 has the column '{COST}' twice; remove one")
    if tasks is not None:
        wanted = tuple(tasks)
        unknown = next((name for name in named if name not in wanted), None)
        if unknown is not None:
            raise GraphError(f"{file}, line 1 has the unknown column '{unknown}'{suggest(unknown, [*wanted, COST])}")
        missing = next((name for name in wanted if name not in named), None)
        if missing is not None:
            raise GraphError(f"{file} has no column for the task '{missing}'{suggest(missing, named)}")
    return header


def _row(where: str, header: list[str], cells: list[str]) -> dict[str, float]:
    """The numbers of a line by column, without the tasks that are not in the set."""
    if any(cells[len(header) :]):
        raise GraphError(f"{where} has {len(cells)} cells, but there are {len(header)} columns")
    values = {}
    for name, cell in zip(header, cells, strict=False):
        if not cell:
            continue
        try:
            values[name] = float(cell)
        except ValueError:
            values[name] = math.nan
        if not math.isfinite(values[name]):
            raise GraphError(f"{where}: '{cell[:40]}' in column '{name}' is not a number; correct it or leave it empty")
    if not values.keys() - {COST}:
        raise GraphError(f"{where} has no score; give one for each task of the set, or remove the line")
    if COST in header and COST not in values:
        raise GraphError(f"{where} has no cost; give one for every set, or remove the column")
    if values.get(COST, 1.0) < 0:
        raise GraphError(f"{where}: the cost is {values[COST]:g}; it must be at least 0")
    return values


def predict_from_pairs(
    table: ScoreTable, sets: Iterable[Sequence[str]] | None = None, *, max_size: int | None = None
) -> ScoreTable:
    """Adds sets of three and more tasks to a table of pairs.

    A task's score in a larger set is predicted as the mean of its scores in the pairs within the set: the higher-order
    approximation of Standley et al. (2020), section 5.3.2. A predicted set costs as much as its most expensive pair.

    Args:
        table: with pairs; sets of other sizes are kept and not predicted again.
        sets: the sets to predict; ``None``: all sets whose pairs are all in the table.
        max_size: the largest sets to predict; ``None``: all sizes for up to 12 tasks.

    Raises:
        GraphError: there is no pair, a set has fewer than three different tasks, an unmeasured pair or an unknown task,
            or there are too many sets.
    """
    pairs: dict[frozenset[str], int] = {}
    for row, tasks in enumerate(table.sets):
        if len(tasks) == 2 and (
            frozenset(tasks) not in pairs or table.costs[row] < table.costs[pairs[frozenset(tasks)]]
        ):
            pairs[frozenset(tasks)] = row
    if not pairs:
        raise GraphError("The score table has no pair of tasks, so larger sets cannot be predicted")
    known = {frozenset(tasks) for tasks in table.sets}
    wanted = _all_sets(table.tasks, pairs, max_size) if sets is None else [tuple(tasks) for tasks in sets]
    found, scores, costs = list(table.sets), list(table.scores), list(table.costs)
    for tasks in wanted:
        if frozenset(tasks) in known:
            continue
        if len(set(tasks)) < max(3, len(tasks)):
            raise GraphError(f"The set {list(tasks)} cannot be predicted; give sets of at least three different tasks")
        known.add(frozenset(tasks))
        rows = [_pair_row(table, pairs, pair) for pair in itertools.combinations(tasks, 2)]
        means = {task: [table.scores[row][task] for row in rows if task in table.scores[row]] for task in tasks}
        found.append(tasks)
        scores.append({task: math.fsum(values) / len(values) for task, values in means.items()})
        costs.append(max(table.costs[row] for row in rows))
    return ScoreTable(tuple(found), tuple(scores), tuple(costs), table.tasks)


def _pair_row(table: ScoreTable, pairs: dict[frozenset[str], int], pair: Sequence[str]) -> int:
    unknown = next((task for task in pair if task not in table.tasks), None)
    if unknown is not None:
        raise GraphError(f"The score table has no task '{unknown}'{suggest(str(unknown), table.tasks)}")
    if frozenset(pair) not in pairs:
        raise GraphError(f"The pair '{pair[0]}' and '{pair[1]}' was not measured, so a set with both is not predicted")
    return pairs[frozenset(pair)]


def _all_sets(tasks: Sequence[str], pairs: dict[frozenset[str], int], max_size: int | None) -> list[tuple[str, ...]]:
    """All sets of three and more tasks whose pairs were all measured, small before large."""
    if max_size is None and len(tasks) > MAX_TASKS:
        raise GraphError(f"{len(tasks)} tasks make too many sets to predict; give max_size, the largest size")
    grown = [tuple(task for task in tasks if task in pair) for pair in pairs]
    found: list[tuple[str, ...]] = []
    index = {task: number for number, task in enumerate(tasks)}
    for _ in range(3, (len(tasks) if max_size is None else max_size) + 1):
        larger = (
            (*subset, task)
            for subset in grown
            for task in tasks[index[subset[-1]] + 1 :]
            if all(frozenset((one, task)) in pairs for one in subset)
        )
        grown = list(itertools.islice(larger, MAX_SETS + 1 - len(found)))
        grown.sort(key=lambda subset: [index[task] for task in subset])
        found += grown
        if len(found) > MAX_SETS:
            raise GraphError(f"More than {MAX_SETS:,} sets would be predicted; give a smaller max_size")
    return found
