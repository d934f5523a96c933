"""What ``mvlpt group`` prints: the table of groups, the objective, fitted weights, and a choice of measured sets."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich.table import Table

from mvlpt.graph import FittedWeights, Grouping
from mvlpt.graph.grouping import within_between_means

if TYPE_CHECKING:  # they load torch
    from mvlpt.experiment.grouping import GroupingResult, MeasuredSelection

WIDE = 80  # characters from which on a table has room for the names of tasks


def groups_table(result: GroupingResult, width: int = WIDE) -> list[Table | str]:
    """One line for each group: its tasks, classes, images, and how similar they are inside and to the rest.

    Where there are fewer than :data:`WIDE` characters, the tasks are listed in lines of their own below the table.
    """
    grouping, attributes = result.grouping, result.graph.attributes
    wide = width >= WIDE
    table = Table(title=result.title, title_justify="left")
    table.add_column("group", no_wrap=True)
    if wide:
        table.add_column("tasks", overflow="fold")
    for column in ("size", "classes", "images", "inner", "outer"):
        table.add_column(column, justify="right", no_wrap=True)
    means = within_between_means(result.matrix, result.graph.tasks, grouping.groups)
    for name, group, (inner, outer) in zip(grouping.names, grouping.groups, means, strict=True):
        sums = (sum(attributes.get(task, {}).get(key, 0) for task in group) for key in ("classes", "images"))
        listed = [", ".join(group)] if wide else []
        table.add_row(name, *listed, str(len(group)), *(f"{total:,}" for total in sums), *map(_mean, (inner, outer)))
    if wide:
        return [table]
    members = zip(grouping.names, grouping.groups, strict=True)
    return [table, *(f"{name}: {', '.join(group)}" for name, group in members)]


def _mean(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3g}"


def _percent(share: float) -> str:
    """Two digits, but whole numbers from 10 % on."""
    return f"{100 * share:.0f}" if share >= 0.1 else f"{100 * share:.2g}"


def objective_line(grouping: Grouping) -> str:
    """The objective, how far it may be from the best, and the threshold, in one line."""
    found_by = grouping.settings.get("found_by")
    words = [f"method {grouping.method} ({found_by})" if found_by else f"method {grouping.method}"]
    if grouping.objective is not None:
        words.append(f"objective {grouping.objective:.4g}")
    if grouping.gap is not None:
        words.append("proved optimal" if grouping.gap == 0 else f"{_percent(grouping.gap)} % below the optimum")
    else:
        words.append("gap to the optimum not known")
    if grouping.settings.get("threshold") is not None:
        words.append(f"threshold {grouping.settings['threshold']:.4g}")
    return ", ".join(words)


def fit_line(fitted: FittedWeights) -> str:
    """The fitted weights and how well they rank the measured gains, in and out of the fit."""
    weights = ", ".join(f"{name} {weight:.3g}" for name, weight in fitted.weights.items() if weight)
    held = (
        "too few pairs to leave a task out" if fitted.held_out is None else f"{fitted.held_out:.2f} with tasks left out"
    )
    return (
        f"fitted to {fitted.pairs} measured pairs: {weights}; rank correlation {fitted.correlation:.2f} "
        f"({fitted.equal:.2f} with equal weights, {held})"
    )


def selection_line(chosen: MeasuredSelection) -> str:
    """How many sets serve how many tasks, what they cost, and their total score, in one line."""
    selection, table = chosen.selection, chosen.table
    budget = "" if selection.budget is None else f" of a budget of {selection.budget:g}"
    count, better = len(selection.chosen), "lower" if selection.lower_is_better else "higher"
    return (
        f"{count} of {len(table.sets)} sets serve {len(table.tasks)} tasks; cost {selection.cost:g}{budget}, "
        f"total score {selection.total:.6g} ({better} is better), proved optimal"
    )


def selection_table(chosen: MeasuredSelection) -> Table:
    """One line for each chosen set: its tasks, what it costs, and the scores of the tasks that it serves."""
    selection, grouping, table = chosen.selection, chosen.grouping, chosen.table
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
