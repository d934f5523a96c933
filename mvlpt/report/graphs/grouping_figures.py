"""The figures of one grouping: its heat map and its network, written beside its groups file.

Shapes: T tasks.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mvlpt.report.graphs.figures import save_figure
from mvlpt.report.graphs.heatmap import draw_heatmap
from mvlpt.report.graphs.network import draw_network

if TYPE_CHECKING:  # it loads torch
    from mvlpt.experiment.grouping import GroupingResult


def save_grouping_figures(result: GroupingResult, folder: Path) -> list[Path]:
    """Draws a grouping as ``similarity`` (or ``affinity``) and ``graph``, each as PNG and SVG.

    Args:
        result: the groups, and the matrix (T, T) that they were computed from.
        folder: to write to.

    Returns:
        The files written; none if the options of the grouping disable pictures.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    if not result.options.pictures:
        return []
    grouping, graph = result.grouping, result.graph
    groups = dict(zip(grouping.names, grouping.groups, strict=True))
    sizes = {task: values["classes"] for task, values in graph.attributes.items() if "classes" in values}
    kind = "affinity" if result.directed else "similarity"
    figures = {
        kind: draw_heatmap(
            result.matrix,
            graph.tasks,
            groups,
            title=result.title,
            directed=result.directed,
            label="row helps column" if result.directed else kind,
        ),
        "graph": draw_network(result.matrix, graph.tasks, groups, sizes=sizes, title=result.title, label=kind),
    }
    return [path for name, figure in figures.items() for path in save_figure(figure, folder / f"{name}{result.suffix}")]
