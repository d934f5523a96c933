"""A dot plot of methods: a row for each arm, a panel for each trainer, a colour for each group of tasks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from mvlpt.errors import ConfigError
from mvlpt.io import clean_text
from mvlpt.report.graphs import COLOURS, INK, check_figure_name, new_figure, text_width, write_figure
from mvlpt.report.results.summary import OVERALL
from mvlpt.report.results.table import MethodSummary, ResultsTable

PANEL, ROW, MARGIN, LEGEND_LINE = 3.6, 0.34, 1.15, 0.2  # inches
MARKERS = "os^v"  # of groups; another one where the colours are used up
LONGEST = 60  # characters of an arm
FAINT = "#DDDDDD"


def save_arms_figure(table: ResultsTable, path: str | os.PathLike[str]) -> Path:
    """Draws the means of every method, over all tasks and over each group of tasks, with the deviation over seeds.

    Each trainer with a number of shots has a panel; a vertical line marks the untrained model where there is one.

    Args:
        table: of the scores, such as :func:`mvlpt.report.results.experiment_tables` makes; with groups (looks) there is
            a dot for each.
        path: of the figure; its ending says the format.

    Returns:
        The file.

    Raises:
        ConfigError: the ending is unknown, or no method has a mean over its tasks.
        MissingExtraError: matplotlib is not installed.
    """
    check_figure_name(path)
    panels = arm_panels(table)
    if not panels:
        raise ConfigError("No trained method has a mean over its tasks, so there is nothing to draw")
    zero_shot = next((one for one in table.summaries if one.method.zero_shot and one.overall), None)
    width = PANEL * len(panels) + 1.2
    columns = max(1, int(width / (text_width([*table.group_names, OVERALL], 8) + 0.45)))
    below = 0.3 + LEGEND_LINE * (len(table.group_names) // columns)
    figure = new_figure(width, ROW * max(map(len, panels.values())) + MARGIN + below - 0.3)
    axes = figure.subplots(1, len(panels), sharex=True, squeeze=False)[0]
    marks: dict[str, Any] = {}
    for axis, (title, summaries) in zip(axes, panels.items(), strict=True):
        _draw_panel(axis, title, summaries, table.group_names, zero_shot, marks)
    legend = figure.legend(
        marks.values(), marks, loc="lower center", ncols=min(columns, len(marks)), frameon=False, fontsize=8
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
    figure.tight_layout(rect=(0, below / figure.get_figheight(), 1, 1))
    return write_figure(figure, path)


def arm_panels(table: ResultsTable) -> dict[str, list[MethodSummary]]:
    """The trained methods that have a mean, by trainer and shots, in the order of the table."""
    panels: dict[str, list[MethodSummary]] = {}
    for summary in table.summaries:
        if not summary.method.zero_shot and summary.overall is not None:
            panels.setdefault(f"{summary.method.trainer}, {summary.method.shots_word}", []).append(summary)
    return panels


def _draw_panel(
    axis: Any,
    title: str,
    summaries: list[MethodSummary],
    groups: tuple[str, ...],
    zero_shot: MethodSummary | None,
    marks: dict[str, Any],
) -> None:
    """One trainer: a row for each arm. Adds the first mark of each group, and of the overall mean, to ``marks``."""
    for row, summary in enumerate(summaries):
        axis.axhline(row, color=FAINT, linewidth=0.8, zorder=0)
        cells = [
            (name, summary.by_group.get(name), COLOURS[index % len(COLOURS)], MARKERS[index // len(COLOURS) % 4], 5)
            for index, name in enumerate(groups)
        ]
        for name, cell, colour, marker, size in [*cells, (OVERALL, summary.overall, INK, "D", 6.4)]:
            if cell is not None:
                mark = axis.errorbar(
                    cell.mean, row, xerr=cell.sd, fmt=marker, markersize=size, color=colour, elinewidth=1
                )
                marks.setdefault(name, mark)
        axis.annotate(
            f"{summary.overall.mean:.1f}", (summary.overall.mean, row), xytext=(0, 6), textcoords="offset points",
            ha="center", fontsize=7, color=INK,
        )  # fmt: skip
    if zero_shot is not None:
        axis.axvline(zero_shot.overall.mean, color=INK, linewidth=0.8, linestyle=":", zorder=0)
        axis.annotate(
            "zero-shot", (zero_shot.overall.mean, 0), xycoords=("data", "axes fraction"), xytext=(2, 3),
            textcoords="offset points", fontsize=7, color=INK,
        )  # fmt: skip
    labels = [clean_text(" ".join(one.method.words[1:]), LONGEST) for one in summaries]
    axis.set_yticks(range(len(summaries)), labels, fontsize=8, parse_math=False)
    axis.set_ylim(len(summaries) - 0.4, -0.75)
    axis.tick_params(axis="x", labelsize=8)
    axis.set_title(title, fontsize=9, parse_math=False)
    axis.set_xlabel("score %, mean ± sd over seeds", fontsize=8)
    for side in ("top", "right", "left"):
        axis.spines[side].set_visible(False)
