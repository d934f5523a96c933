"""The heat map of a task graph: every pair of tasks, ordered by group, with a dendrogram.

Shapes: T tasks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mvlpt.report.graphs.figures import (
    FAINT,
    FIXED,
    INK,
    check_drawing,
    group_colours,
    new_figure,
    text_colour,
    text_width,
)
from mvlpt.report.graphs.order import Branch, grouped_tree

TREE, STRIP, MARGIN = 1.15, 0.22, 0.2  # inches
MAX_TASKS_WITH_VALUES = 12  # written into the cells


def draw_heatmap(
    matrix: Any,
    tasks: Sequence[str],
    groups: Mapping[str, Sequence[str]],
    *,
    title: str = "",
    directed: bool = False,
    label: str = "similarity",
) -> Any:
    """Draws all pairs of tasks, ordered by group.

    Args:
        matrix: (T, T); the diagonal is not shown, and NaN is grey.
        tasks: names of the rows.
        groups: group name to tasks; every task exactly once.
        title: above the figure.
        directed: whether it is an affinity, above 0 where the row's task helps the column's; else a similarity.
        label: of the colour scale.

    Returns:
        A matplotlib figure.

    Raises:
        GraphError: sizes do not match.
        MissingExtraError: matplotlib is not installed.
    """
    matrix = check_drawing(matrix, tasks, groups)
    tree = grouped_tree(matrix, tasks, groups)
    order = [list(tasks).index(task) for task in tree.tasks]
    shown = matrix[np.ix_(order, order)]
    np.fill_diagonal(shown, np.nan)
    count = len(tasks)
    cell = max(0.3 if count <= 40 else 0.17, 2.7 / count)
    points = min(9.0, cell * 72 * 0.72)
    side, names = cell * count, text_width(tasks, points) + 0.12
    left, bottom = MARGIN + TREE + STRIP + 0.06, MARGIN + max(names, 0.75)
    width, height = left + side + names + MARGIN, bottom + side + STRIP + 0.06 + (0.45 if title else 0.1)
    width = max(width, text_width([title], 11) + 2 * MARGIN)
    figure = new_figure(width, height)

    def axes(x: float, y: float, w: float, h: float) -> Any:
        added = figure.add_axes((x / width, y / height, w / width, h / height))
        added.set_axis_off()
        return added

    main = axes(left, bottom, side, side)
    image = _cells(main, shown, directed)
    if count <= MAX_TASKS_WITH_VALUES:
        _values(main, shown, image, min(8.0, points))
    _names(main, tree.tasks, points)
    _borders(main, tree, groups, count)
    colours = group_colours(groups)
    _strips(
        axes(left - STRIP - 0.04, bottom, STRIP, side),
        axes(left, bottom + side + 0.04, side, STRIP),
        tree,
        groups,
        colours,
        cell,
    )
    _dendrogram(axes(MARGIN, bottom, TREE, side), tree, colours)
    bar = figure.add_axes((MARGIN / width, (bottom - 0.42) / height, TREE / width, 0.12 / height))
    figure.colorbar(image, cax=bar, orientation="horizontal")
    bar.tick_params(labelsize=7, length=2, colors=INK)
    bar.locator_params(nbins=4)
    bar.set_title(label, fontsize=8, color=INK, pad=3, parse_math=False)
    if title:
        figure.text(MARGIN / width, 1 - 0.28 / height, title, fontsize=11, color=INK, va="center", parse_math=False)
    return figure


def _cells(axes: Any, shown: np.ndarray, directed: bool) -> Any:
    """The coloured cells; the scale diverges from 0 for affinities, and spans all values for similarities."""
    import matplotlib

    known = shown[~np.isnan(shown)]
    if directed:
        most = float(np.quantile(np.abs(known), 0.98)) if len(known) else 1.0
        low, high, colours = -(most or 1.0), most or 1.0, "RdBu"
    else:
        low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
        low, high, colours = low, high if high > low else low + 1e-6, "YlGnBu"
    scale = matplotlib.colormaps[colours].with_extremes(bad="#EDEDED")
    image = axes.imshow(np.ma.masked_invalid(shown), cmap=scale, vmin=low, vmax=high, aspect="auto")
    axes.set_xlim(-0.5, len(shown) - 0.5)
    axes.set_ylim(len(shown) - 0.5, -0.5)
    return image


def _values(axes: Any, shown: np.ndarray, image: Any, points: float) -> None:
    """The numbers in the cells."""
    for i, row in enumerate(shown):
        for j, value in enumerate(row):
            if not np.isnan(value):
                red, green, blue, _ = image.cmap(image.norm(value))
                dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
                text = f"{value:.2f}" if abs(value) < 10 else f"{value:.0f}"
                colour = "white" if dark else INK
                axes.text(j, i, text, ha="center", va="center", fontsize=points, color=colour, gid=f"{FIXED}-{i}-{j}")


def _names(axes: Any, tasks: Sequence[str], points: float) -> None:
    """Task names to the right of the rows and below the columns."""
    last = len(tasks) - 0.5
    for row, task in enumerate(tasks):
        style = {"fontsize": points, "color": INK, "parse_math": False, "annotation_clip": False}
        style["textcoords"] = "offset points"
        axes.annotate(task, (last, row), xytext=(4, 0), va="center", ha="left", **style)
        axes.annotate(task, (row, last), xytext=(0, -4), va="top", ha="center", rotation=90, **style)


def _spans(tree: Branch, groups: Mapping[str, Sequence[str]]) -> list[tuple[str, int, int]]:
    """(group, first row, last row + 1), from top to bottom."""
    of = {task: name for name, members in groups.items() for task in members}
    spans: list[tuple[str, int, int]] = []
    for row, task in enumerate(tree.tasks):
        if spans and spans[-1][0] == of[task]:
            spans[-1] = (of[task], spans[-1][1], row + 1)
        else:
            spans.append((of[task], row, row + 1))
    return spans


def _borders(axes: Any, tree: Branch, groups: Mapping[str, Sequence[str]], count: int) -> None:
    """A frame around each group, thin lines between groups."""
    from matplotlib.patches import Rectangle

    for _, start, stop in _spans(tree, groups):
        if start:
            axes.plot([-0.5, count - 0.5], [start - 0.5] * 2, color="white", linewidth=1.0)
            axes.plot([start - 0.5] * 2, [-0.5, count - 0.5], color="white", linewidth=1.0)
        if stop - start > 1:
            corner, size = (start - 0.5, start - 0.5), stop - start
            axes.add_patch(
                Rectangle(corner, size, size, fill=False, edgecolor=INK, linewidth=1.3, zorder=3, clip_on=False)
            )


def _strips(
    beside: Any,
    above: Any,
    tree: Branch,
    groups: Mapping[str, Sequence[str]],
    colours: Mapping[str, str],
    cell: float,
) -> None:
    """A coloured bar for each group left of the rows and above the columns, with its name if it fits."""
    from matplotlib.patches import Rectangle

    count, inset = len(tree.tasks), 0.02 / cell
    beside.set(xlim=(0, 1), ylim=(count, 0))
    above.set(xlim=(0, count), ylim=(0, 1))
    for name, start, stop in _spans(tree, groups):
        length, middle = stop - start, (start + stop) / 2
        beside.add_patch(Rectangle((0, start + inset), 1, length - 2 * inset, color=colours[name], linewidth=0))
        above.add_patch(Rectangle((start + inset, 0), length - 2 * inset, 1, color=colours[name], linewidth=0))
        space = length * cell
        points = 8.0 if space > 0.2 else max(4.0, space * 72 * 0.6)
        along = text_width([name], points) < space
        style = {"ha": "center", "va": "center", "fontsize": points, "color": text_colour(colours[name])}
        style["parse_math"] = False
        if along or text_width([name], points) < STRIP * 1.15:
            beside.text(0.5, middle, name, rotation=90 if along else 0, gid=f"{FIXED}-row-{start}", **style)
            above.text(middle, 0.5, name, rotation=0 if along else 90, gid=f"{FIXED}-column-{start}", **style)


def _dendrogram(axes: Any, tree: Branch, colours: Mapping[str, str]) -> None:
    """The tree with its root on the left; branches within a group have its colour."""
    row_of = {task: row for row, task in enumerate(tree.tasks)}
    top = tree.height or 1.0
    axes.set(xlim=(top * 1.04, 0), ylim=(len(tree.tasks) - 0.5, -0.5))

    def draw(branch: Branch) -> float:
        if not branch.parts:
            return row_of[branch.tasks[0]]
        rows = [draw(part) for part in branch.parts]
        colour = colours[branch.group] if branch.group else FAINT
        heights = [branch.parts[0].height, branch.height, branch.height, branch.parts[1].height]
        axes.plot(heights, [rows[0], rows[0], rows[1], rows[1]], color=colour, linewidth=1.2, solid_capstyle="butt")
        return sum(rows) / 2

    draw(tree)
