"""The network figure of a task graph: tasks on a circle, ordered by group, connected to their nearest tasks.

Shapes: T tasks, M edges.
"""

from __future__ import annotations

import math
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
from mvlpt.report.graphs.order import grouped_tree

NEAREST = 3  # neighbours to which every task is connected
GAP = 0.6  # between groups, relative to the angle of a task
BAND = 0.24  # width in inches of the ring with the group names


def draw_network(
    matrix: Any,
    tasks: Sequence[str],
    groups: Mapping[str, Sequence[str]],
    *,
    sizes: Mapping[str, float] | None = None,
    title: str = "",
    label: str = "similarity",
    nearest: int = NEAREST,
) -> Any:
    """Draws the graph with its groups; names are outside the circle and never overlap.

    Edges connect each task to its nearest tasks: coloured within a group, grey between groups, wider and darker for
    higher values. Both directions of an affinity are averaged; values not above 0 are not drawn.

    Args:
        matrix: (T, T) similarity or affinity; NaN where unknown.
        tasks: names of the rows.
        groups: group name to tasks; every task exactly once.
        sizes: number of classes of each task, shown as the size of its dot.
        title: above the figure.
        label: of the edge values.
        nearest: neighbours to which each task is connected.

    Returns:
        A matplotlib figure.

    Raises:
        GraphError: sizes do not match.
        MissingExtraError: matplotlib is not installed.
    """
    matrix = check_drawing(matrix, tasks, groups)
    order = grouped_tree(matrix, tasks, groups).tasks
    of = {task: name for name, members in groups.items() for task in members}
    angles, spans = _angles(order, of)
    count = len(order)
    points = 9.0 if count <= 40 else 7.0 if count <= 120 else 5.5
    slots = 2 * math.pi / _slot(order, of)
    radius = max(1.75, slots * 1.4 * points / 72 / (2 * math.pi))
    names = text_width(order, points)
    reach = radius + 0.12 + BAND + 0.08 + names + 0.1
    width = max(2 * reach, text_width([title], 11) + 0.4)
    height = 2 * reach + (0.4 if title else 0.0) + 0.42
    figure = new_figure(width, height)
    axes = figure.add_axes((0.5 - reach / width, 0.42 / height, 2 * reach / width, 2 * reach / height))
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach))
    axes.set_axis_off()
    colours = group_colours(groups)
    edges = nearest_edges(matrix, tasks, nearest)
    _edges(axes, edges, angles, spans, of, colours, radius)
    _dots(axes, angles, of, colours, radius, sizes or {})
    _ring(axes, spans, colours, radius + 0.12)
    _labels(axes, angles, radius + 0.12 + BAND + 0.08, points)
    _legend(figure, edges, sizes or {}, label, width, height)
    if title:
        figure.text(0.2 / width, 1 - 0.25 / height, title, fontsize=11, color=INK, va="center", parse_math=False)
    return figure


def nearest_edges(matrix: np.ndarray, tasks: Sequence[str], nearest: int) -> list[tuple[str, str, float]]:
    """Edges from each task to its nearest tasks, both directions averaged: (task, task, value), the weakest first.

    Pairs with an unknown value or one not above 0 are not connected; ties are broken by the order of the names.
    """
    both = np.where(np.isnan(matrix), matrix.T, matrix)
    both = (both + both.T) / 2
    chosen: dict[tuple[str, str], float] = {}
    for i, task in enumerate(tasks):
        near = [(both[i, j], other) for j, other in enumerate(tasks) if j != i and both[i, j] > 0]
        for value, other in sorted(near, key=lambda pair: (-pair[0], pair[1]))[:nearest]:
            chosen[tuple(sorted((task, other)))] = float(value)
    return sorted(((a, b, value) for (a, b), value in chosen.items()), key=lambda edge: (edge[2], edge[:2]))


def _slot(order: Sequence[str], of: Mapping[str, str]) -> float:
    """The angle of one task; a part of it separates groups."""
    gaps = len({of[task] for task in order})
    return 2 * math.pi / (len(order) + (GAP * gaps if gaps > 1 else 0))


def _angles(order: Sequence[str], of: Mapping[str, str]) -> tuple[dict[str, float], list[tuple[str, float, float]]]:
    """The angle of each task, clockwise from the top, and (group, first angle, last angle) of each group."""
    slot = _slot(order, of)
    angles: dict[str, float] = {}
    spans: list[tuple[str, float, float]] = []
    angle = math.pi / 2 - slot
    for i, task in enumerate(order):
        if i and of[order[i - 1]] != of[task]:
            angle -= GAP * slot
        angles[task] = angle
        if spans and spans[-1][0] == of[task]:
            spans[-1] = (of[task], spans[-1][1], angle - slot * 0.45)
        else:
            spans.append((of[task], angle + slot * 0.45, angle - slot * 0.45))
        angle -= slot
    return angles, spans


def _at(angle: float, radius: float) -> tuple[float, float]:
    """The point at an angle and radius."""
    return radius * math.cos(angle), radius * math.sin(angle)


def _edges(
    axes: Any,
    edges: Sequence[tuple[str, str, float]],
    angles: Mapping[str, float],
    spans: Sequence[tuple[str, float, float]],
    of: Mapping[str, str],
    colours: Mapping[str, str],
    radius: float,
) -> None:
    """Curves through the circle: bent within a group, bundled between two groups."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    middle = {name: (first + last) / 2 for name, first, last in spans}
    low, high = (edges[0][2], edges[-1][2]) if edges else (0.0, 1.0)
    for a, b, value in sorted(edges, key=lambda edge: of[edge[0]] == of[edge[1]]):
        strength = (value - low) / (high - low) if high > low else 1.0
        start, end = (_at(angles[task], radius) for task in (a, b))
        if of[a] == of[b]:
            apart = abs(angles[a] - angles[b])
            bend = _at((angles[a] + angles[b]) / 2, radius * max(0.1, 1 - 0.45 * apart - 0.06))
            path = Path([start, bend, end], [Path.MOVETO, Path.CURVE3, Path.CURVE3])
            style = {"edgecolor": colours[of[a]], "alpha": 0.35 + 0.6 * strength, "zorder": 3}
        else:
            bends = [
                tuple(np.add(_at(angles[task], radius * 0.35), _at(middle[of[task]], radius * 0.2))) for task in (a, b)
            ]
            path = Path([start, *bends, end], [Path.MOVETO, *[Path.CURVE4] * 3])
            style = {"edgecolor": "#555555", "alpha": 0.25 + 0.4 * strength, "zorder": 2}
        axes.add_patch(PathPatch(path, facecolor="none", linewidth=0.5 + 2.0 * strength, capstyle="round", **style))


def _dots(
    axes: Any,
    angles: Mapping[str, float],
    of: Mapping[str, str],
    colours: Mapping[str, str],
    radius: float,
    sizes: Mapping[str, float],
) -> None:
    """A dot for each task, with an area that grows with the number of classes."""
    points = np.array([_at(angle, radius) for angle in angles.values()])
    areas = [_area(task, sizes) for task in angles]
    fill = [colours[of[task]] for task in angles]
    axes.scatter(*points.T, s=areas, c=fill, edgecolors="white", linewidths=0.8, zorder=4)


def _area(task: str, sizes: Mapping[str, float]) -> float:
    """Square points, from 25 to 110."""
    most = max(sizes.values(), default=0)
    return 25 + 85 * sizes.get(task, 0) / most if most else 50.0


def _ring(axes: Any, spans: Sequence[tuple[str, float, float]], colours: Mapping[str, str], inner: float) -> None:
    """A band around each group, with the group's name."""
    from matplotlib.patches import Wedge

    for name, first, last in spans:
        start, stop = math.degrees(last), math.degrees(first)
        axes.add_patch(Wedge((0, 0), inner + BAND, start, stop, width=BAND, color=colours[name], linewidth=0))
        middle, length = (first + last) / 2, (first - last) * (inner + BAND / 2)
        turn = math.degrees(middle)
        if text_width([name], 8) < length:
            turn -= 90
        points = 8.0 if text_width([name], 8) < max(length, BAND) else 6.0
        axes.text(
            *_at(middle, inner + BAND / 2), name, rotation=_upright(turn), rotation_mode="anchor", ha="center",
            va="center_baseline", fontsize=points, color=text_colour(colours[name]), parse_math=False,
            gid=f"{FIXED}-{name}",
        )  # fmt: skip


def _labels(axes: Any, angles: Mapping[str, float], radius: float, points: float) -> None:
    """Task names, pointing outward."""
    for task, angle in angles.items():
        right = math.cos(angle) >= 0
        axes.text(
            *_at(angle, radius), task, rotation=_upright(math.degrees(angle)), rotation_mode="anchor",
            ha="left" if right else "right", va="center_baseline", fontsize=points, color=INK, parse_math=False,
        )  # fmt: skip


def _upright(degrees: float) -> float:
    """The rotation that makes text at this angle readable from left to right."""
    turned = (degrees + 90) % 360 - 90
    return turned - 180 if turned > 90 else turned


def _legend(
    figure: Any,
    edges: Sequence[tuple[str, str, float]],
    sizes: Mapping[str, float],
    label: str,
    width: float,
    height: float,
) -> None:
    """The meaning of lines and dots, in one row at the bottom."""
    from matplotlib.lines import Line2D

    entries = []
    if edges:
        low, high = edges[0][2], edges[-1][2]
        entries = [
            (Line2D([], [], color=FAINT, linewidth=0.8), f"{label} {low:.2g}"),
            (Line2D([], [], color="#555555", linewidth=2.5), f"{high:.2g}"),
        ]
    if sizes:
        most = max(sizes.values())
        dot = {"linestyle": "none", "marker": "o", "color": INK, "markeredgewidth": 0}
        entries.append((Line2D([], [], markersize=math.sqrt(110), **dot), f"{most:g} classes"))
    handles, labels = zip(*entries, strict=True) if entries else ((), ())
    legend = figure.legend(
        handles, labels, loc="lower left", bbox_to_anchor=(0.1 / width, 0.04 / height), ncols=3, frameon=False,
        fontsize=8, handlelength=1.8, columnspacing=1.4, borderaxespad=0,
    )  # fmt: skip
    for text in legend.get_texts():
        text.set(color=INK, parse_math=False)
