"""The picture of a plan: jobs in layers, each to the right of those it needs; large plans by kind, trainer and arm."""

from __future__ import annotations

import itertools
import os
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import networkx as nx

from mvlpt.arms import arm_label
from mvlpt.io import counted
from mvlpt.report.durations import duration
from mvlpt.report.graphs import COLOURS, INK, check_figure_name, new_figure, text_width, write_figure
from mvlpt.report.jobs.plan_table import category_of, critical_path
from mvlpt.schedule import KINDS, Job, Plan

LARGEST = 150  # jobs that are drawn one by one
POINTS = 7.5
LINE = 0.15  # inches
LEGEND = 0.2  # inches below the boxes
COLOUR_OF = dict(zip(KINDS, COLOURS, strict=False))


@dataclass(frozen=True)
class Box:
    """One job, or all jobs of one category on one layer; the lines of its text, and whether it is critical."""

    kind: str
    lines: tuple[str, ...]
    critical: bool = False


def plan_boxes(plan: Plan, largest: int = LARGEST) -> tuple[nx.DiGraph, dict[Any, Box]]:
    """What is drawn.

    Up to ``largest`` jobs each is a box of its own; beyond, jobs of the same kind, trainer and arm on the same layer
    share one.

    Args:
        plan: the jobs.
        largest: number of jobs.

    Returns:
        A graph of keys, whose nodes carry their layer as ``layer`` and whose arrows carry as ``jobs`` how many arrows
        of the plan they stand for and as ``critical`` whether one of these is on the critical path; and the box of each
        key.
    """
    layers: dict[str, int] = {}
    for job in plan:
        layers[job.id] = max((layers[need] + 1 for need in job.needs), default=0)
    single = len(plan) <= largest
    keys: dict[str, Any] = {job.id: job.id if single else (layers[job.id], *category_of(job)) for job in plan}
    members: dict[Any, list[Job]] = defaultdict(list)
    chain = critical_path(plan, {job.id: job.seconds for job in plan})
    critical, steps = set(chain), set(itertools.pairwise(chain))
    graph = nx.DiGraph()
    for job in plan:
        members[keys[job.id]].append(job)
        graph.add_node(keys[job.id], layer=layers[job.id])
        for need in job.needs:
            arrow = (keys[need], keys[job.id])
            before = graph.get_edge_data(*arrow, default={"jobs": 0, "critical": False})
            on_path = before["critical"] or (need, job.id) in steps
            graph.add_edge(*arrow, jobs=before["jobs"] + 1, critical=on_path)
    boxes = {
        key: Box(jobs[0].kind, _lines(jobs, single), any(job.id in critical for job in jobs))
        for key, jobs in members.items()
    }
    return graph, boxes


def _lines(jobs: list[Job], single: bool) -> tuple[str, ...]:
    kind, trainer, arm = category_of(jobs[0])
    seconds = duration(sum(job.seconds for job in jobs))
    if single:
        parts = jobs[0].name.split("/")
        head = "/".join(parts[:2]) if len(parts) > 2 else jobs[0].name
        return tuple(filter(None, (head, "/".join(parts[2:]) if len(parts) > 2 else "", f"{kind}, {seconds}")))
    words = " ".join(filter(None, (trainer, arm_label(arm))))
    count = counted(len(jobs), "job")
    return tuple(filter(None, (f"{kind}: {count}", words, seconds)))


def draw_plan(plan: Plan, title: str = "", largest: int = LARGEST) -> Any:
    """A matplotlib figure: time goes from left to right, colours show the kind, thick frames the critical path.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    from matplotlib.lines import Line2D

    graph, boxes = plan_boxes(plan, largest)
    columns = _columns(graph)
    height_of = max((len(box.lines) for box in boxes.values()), default=1) * LINE + 0.12
    widths = [max(_text_width(boxes[key]) for key in keys) + 0.22 for keys in columns]
    tallest = max((len(keys) for keys in columns), default=1)
    height = max(tallest * (height_of + 0.12), 1.0) + 0.75 + LEGEND
    gap = min(2.2, 0.6 + 0.04 * tallest)  # arrows between tall layers need room
    width = max(sum(widths) + gap * (len(columns) - 1) + 0.3, text_width([title], 11) + 0.4, 6.0)
    figure = new_figure(width, height)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(0, height))
    axes.set_axis_off()
    if title:
        axes.text(0.15, height - 0.2, title, fontsize=11, color=INK, va="center", parse_math=False)
    boxes_at: dict[Any, tuple[float, float, float]] = {}
    left = 0.15
    for keys, wide in zip(columns, widths, strict=True):
        step = (height - 0.75 - LEGEND) / max(len(keys), 1)
        for row, key in enumerate(keys):
            boxes_at[key] = (left, height - 0.4 - step * (row + 0.5), wide)
        left += wide + gap
    _arrows(axes, graph, boxes_at)
    for key, box in boxes.items():
        _draw_box(axes, box, *boxes_at[key], height_of)
    kinds = [kind for kind in KINDS if any(box.kind == kind for box in boxes.values())]
    marks = [Line2D([], [], marker="s", linestyle="", color=COLOUR_OF[kind], label=kind) for kind in kinds]
    marks.append(Line2D([], [], color=INK, linewidth=1.8, label="critical path"))
    axes.legend(handles=marks, loc="lower left", ncols=len(marks), fontsize=POINTS, frameon=False, borderpad=0.2)
    return figure


def _text_width(box: Box) -> float:
    """Inches; the first line is bold, which is wider."""
    return max(1.14 * text_width(box.lines[:1], POINTS), text_width(box.lines[1:], POINTS))


def _columns(graph: nx.DiGraph) -> list[list[Any]]:
    """Keys by layer; within a layer by the mean height of what they need, so that few arrows cross."""
    count = max((layer for _, layer in graph.nodes(data="layer")), default=-1) + 1
    columns: list[list[Any]] = [[] for _ in range(count)]
    for key, layer in graph.nodes(data="layer"):
        columns[layer].append(key)
    height: dict[Any, float] = {}
    for _ in range(4):
        for step, (column, neighbours) in enumerate(
            [(c, graph.predecessors) for c in columns] + [(c, graph.successors) for c in reversed(columns)]
        ):
            if step not in (0, len(columns)) and height:
                column.sort(key=lambda key, of=neighbours: _mean_height(height, list(of(key)), height.get(key, 0.0)))
            height.update({key: (row + 0.5) / len(column) for row, key in enumerate(column)})
    return columns


def _mean_height(height: Mapping[Any, float], keys: list[Any], otherwise: float) -> float:
    known = [height[key] for key in keys if key in height]
    return sum(known) / len(known) if known else otherwise


def _arrows(axes: Any, graph: nx.DiGraph, boxes_at: Mapping[Any, Any]) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path as Curve

    faint = max(0.15, min(0.7, 60 / max(1, graph.number_of_edges())))
    for one, other, attributes in graph.edges(data=True):
        (left, y0, wide), (x1, y1, _) = boxes_at[one], boxes_at[other]
        x0, bend = left + wide, max(0.25, (x1 - left - wide) / 2)
        curve = Curve([(x0, y0), (x0 + bend, y0), (x1 - bend, y1), (x1, y1)], [1, 4, 4, 4])
        critical, jobs = attributes["critical"], attributes["jobs"]
        style = {"linewidth": 1.8 if critical else 0.6 + 0.1 * min(jobs, 10), "alpha": 0.9 if critical else faint}
        colour, order = (INK, 3) if critical else ("#777777", 1)  # the critical path is above boxes, not behind them
        axes.add_patch(PathPatch(curve, fill=False, edgecolor=colour, zorder=order, **style))


def _draw_box(axes: Any, box: Box, left: float, middle: float, wide: float, high: float) -> None:
    from matplotlib.patches import FancyBboxPatch

    colour = COLOUR_OF[box.kind]
    shape = FancyBboxPatch((left, middle - high / 2), wide, high, boxstyle="round,pad=0,rounding_size=0.05")
    shape.set(facecolor="white", edgecolor=INK if box.critical else colour, linewidth=1.8 if box.critical else 0.8)
    axes.add_patch(shape)
    tint = FancyBboxPatch((left, middle - high / 2), wide, high, boxstyle="round,pad=0,rounding_size=0.05")
    tint.set(facecolor=colour, alpha=0.22, linewidth=0)
    axes.add_patch(tint)
    top = middle + LINE * (len(box.lines) - 1) / 2
    for row, line in enumerate(box.lines):
        weight = "bold" if row == 0 else "normal"
        style = {"fontsize": POINTS, "weight": weight, "color": INK, "va": "center", "parse_math": False}
        axes.text(left + 0.1, top - LINE * row, line, **style)


def save_plan_figure(plan: Plan, path: str | os.PathLike[str], title: str = "") -> Path:
    """Draws a plan into a file, whole or not at all.

    Raises:
        ConfigError: the name ends in something that is not drawn.
        MissingExtraError: matplotlib is not installed.
    """
    check_figure_name(path)
    return write_figure(draw_plan(plan, title or f"Plan of {len(plan)} jobs"), path)
