"""Groups chosen among candidate sets of tasks whose scores were measured, under a budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mvlpt.errors import ConfigError
from mvlpt.graph import (
    Grouping,
    ScoreTable,
    Selection,
    predict_from_pairs,
    read_score_table,
    select_groups,
    write_groups,
)


@dataclass(frozen=True)
class MeasuredSelection:
    """A choice among measured sets.

    Attributes:
        table: the candidate sets with their scores and costs.
        selection: which sets are chosen, and which of them serves each task.
        grouping: the chosen sets as groups.
        file: the groups file that was written.
    """

    table: ScoreTable
    selection: Selection
    grouping: Grouping
    file: Path


def choose_measured(
    table_file: str | Path,
    folder: str | Path,
    *,
    tasks: Sequence[str] = (),
    budget: float | None = None,
    predict: bool = False,
    max_size: int | None = None,
    lower_is_better: bool = True,
) -> MeasuredSelection:
    """Chooses sets of tasks, and writes them to ``groups.yaml``.

    Args:
        table_file: CSV with one row a set and one column a task; see :func:`mvlpt.graph.read_score_table`.
        folder: for ``groups.yaml``.
        tasks: those that the table must have columns for, all of them and no others; any by default.
        budget: the chosen sets cost at most this together; ``None`` for any cost.
        predict: add larger sets, whose scores are predicted from the pairs in the table.
        max_size: tasks in a set that is added, at most; for ``predict``.
        lower_is_better: whether scores are losses.

    Raises:
        ConfigError: ``max_size`` without ``predict``.
        GraphError: the table or the budget cannot be used.
    """
    if max_size is not None and not predict:
        raise ConfigError("--max-size beside --measured is the size of sets that --predict adds; give both, or neither")
    table = read_score_table(table_file, tasks or None)
    if predict:
        table = predict_from_pairs(table, max_size=max_size)
    selection = select_groups(
        table.sets, table.scores, table.costs, budget, lower_is_better=lower_is_better, tasks=table.tasks
    )
    grouping = selection.grouping()
    file = Path(folder) / "groups.yaml"
    write_groups(grouping, file)
    return MeasuredSelection(table, selection, grouping, file)
