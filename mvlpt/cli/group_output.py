"""What ``mvlpt group`` shows and writes: the table of groups, ``groups.yaml``, GraphML and pictures.

Shapes: T tasks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from mvlpt.graph import FittedWeights, Grouping, TaskGraph, write_groups
from mvlpt.graph.grouping.objective import within_between_means

WIDE = 80  # characters from which on a table has room for the names of tasks


def groups_table(
    grouping: Grouping,
    matrix: np.ndarray,
    tasks: Sequence[str],
    facts: Mapping[str, Mapping[str, Any]],
    title: str,
    width: int = WIDE,
) -> list[Table | str]:
    """One line for each group: its tasks, classes, images, and how alike they are inside and to the rest.

    Where there are fewer than :data:`WIDE` characters, the tasks stand in lines of their own below the table.
    """
    wide = width >= WIDE
    table = Table(title=title, title_justify="left")
    table.add_column("group", no_wrap=True)
    if wide:
        table.add_column("tasks", overflow="fold")
    for column in ("size", "classes", "images", "inner", "outer"):
        table.add_column(column, justify="right", no_wrap=True)
    means = within_between_means(matrix, tasks, grouping.groups)
    for name, group, (inner, outer) in zip(grouping.names, grouping.groups, means, strict=True):
        sums = (sum(facts.get(task, {}).get(key, 0) for task in group) for key in ("classes", "images"))
        listed = [", ".join(group)] if wide else []
        table.add_row(name, *listed, str(len(group)), *(f"{total:,}" for total in sums), *map(_mean, (inner, outer)))
    if wide:
        return [table]
    members = zip(grouping.names, grouping.groups, strict=True)
    return [table, *(f"{name}: {', '.join(group)}" for name, group in members)]


def _mean(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3g}"


def objective_line(grouping: Grouping) -> str:
    """The objective, how far it may be from the best, and the threshold, in one line."""
    found_by = grouping.settings.get("found_by")
    words = [f"method {grouping.method} ({found_by})" if found_by else f"method {grouping.method}"]
    if grouping.objective is not None:
        words.append(f"objective {grouping.objective:.4g}")
    if grouping.gap is not None:
        words.append("proved optimal" if grouping.gap == 0 else f"{100 * grouping.gap:.2g} % below the optimum")
    else:
        words.append("gap to the optimum not known")
    if grouping.settings.get("threshold") is not None:
        words.append(f"threshold {grouping.settings['threshold']:.4g}")
    return ", ".join(words)


def write_all(
    grouping: Grouping,
    graph: TaskGraph,
    matrix: np.ndarray,
    folder: Path,
    *,
    label: str,
    directed: bool,
    suffix: str = "",
    pictures: bool = True,
) -> list[Path]:
    """Writes the groups, GraphML, and the pictures; returns the files.

    Args:
        grouping: the groups.
        graph: the graph they come from.
        matrix: (T, T) what they were found in.
        folder: where to.
        label: what the matrix is, for the pictures.
        directed: the matrix is an affinity.
        suffix: of the names of groups and pictures, where a folder holds several groupings.
        pictures: draw them.
    """
    files = [folder / f"groups{suffix}.yaml"]
    write_groups(grouping, files[0])
    files += graph.save_graphml(folder / "task_graph.graphml")
    if pictures:
        from mvlpt.report.graphs.figures import save_figure

        for name, figure in _figures(grouping, graph, matrix, label, directed).items():
            files += save_figure(figure, folder / f"{name}{suffix}")
    return files


def _figures(grouping: Grouping, graph: TaskGraph, matrix: np.ndarray, label: str, directed: bool) -> dict[str, Any]:
    """The heat map and the drawing, by the names of their files."""
    from mvlpt.report.graphs.heatmap import draw_heatmap
    from mvlpt.report.graphs.network import draw_network

    groups = dict(zip(grouping.names, grouping.groups, strict=True))
    count = len(grouping.groups)
    title = f"{len(graph.tasks)} tasks in {count} group{'s' * (count != 1)} by {label}"
    sizes = {task: known["classes"] for task, known in graph.attributes.items() if "classes" in known}
    kind = "affinity" if directed else "similarity"
    scale = "row helps column" if directed else kind
    heat = draw_heatmap(matrix, graph.tasks, groups, title=title, directed=directed, label=scale)
    network = draw_network(matrix, graph.tasks, groups, sizes=sizes, title=title, label=kind)
    return {kind: heat, "graph": network}


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
