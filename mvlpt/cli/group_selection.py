"""``mvlpt group --measured``: choose among candidate sets of tasks whose scores are known, under a budget."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.table import Table

from mvlpt.cli.common import show
from mvlpt.cli.group_parser import DATA_OPTIONS, refuse_beside
from mvlpt.errors import ConfigError
from mvlpt.graph import Grouping, Selection, read_score_table, select_groups, write_groups
from mvlpt.graph.score_table import ScoreTable, predict_from_pairs

# options that say how a matrix is grouped, or where it comes from: they would be passed over in silence
ELSEWHERE = (
    *DATA_OPTIONS, "graph", "similarity", "raw", "fit", "affinity", "trainer", "results", "method", "groups",
    "max_classes", "must_link", "cannot_link", "threshold", "grouping_seed",
)  # fmt: skip


def select(args: argparse.Namespace) -> None:
    """Reads the table, chooses, writes ``groups.yaml`` and shows which set serves which task.

    Raises:
        ConfigError: an option that means nothing beside ``--measured``.
        GraphError: the table or the budget cannot be used.
    """
    refuse_beside(args, "--measured", ELSEWHERE)
    if args.max_size is not None and not args.predict:
        raise ConfigError("--max-size beside --measured is the size of sets that --predict adds; give both, or neither")
    tasks = [name.strip() for name in args.tasks.split(",") if name.strip()]
    table = read_score_table(args.measured, tasks or None)
    if args.predict:
        table = predict_from_pairs(table, max_size=args.max_size)
    selection = select_groups(
        table.sets,
        table.scores,
        table.costs,
        args.budget,
        lower_is_better=args.lower_is_better,
        tasks=table.tasks,
    )
    grouping = selection.grouping()
    path = Path(args.out) / "groups.yaml"
    write_groups(grouping, path)
    show(_summary(selection, table), selection_table(selection, grouping, table), f"files: {path}")


def _summary(selection: Selection, table: ScoreTable) -> str:
    budget = "" if selection.budget is None else f" of a budget of {selection.budget:g}"
    count, better = len(selection.chosen), "lower" if selection.lower_is_better else "higher"
    return (
        f"{count} of {len(table.sets)} sets serve {len(table.tasks)} tasks; cost {selection.cost:g}{budget}, "
        f"total score {selection.total:.6g} ({better} is better), proved optimal"
    )


def selection_table(selection: Selection, grouping: Grouping, table: ScoreTable) -> Table:
    """One line for each chosen set: its tasks, what it costs, and the scores of the tasks that it serves."""
    shown = Table()
    shown.add_column("group", no_wrap=True)
    shown.add_column("tasks", overflow="fold")
    shown.add_column("cost", justify="right", no_wrap=True)
    shown.add_column("serves", overflow="fold")
    rows = {frozenset(table.sets[row]): row for row in selection.chosen}
    for name, group in zip(grouping.names, grouping.groups, strict=True):
        row = rows[frozenset(group)]
        served = [f"{task} {table.scores[row][task]:.4g}" for task in group if selection.serves[task] == row]
        shown.add_row(name, ", ".join(group), f"{table.costs[row]:g}", ", ".join(served) or "-")
    return shown
