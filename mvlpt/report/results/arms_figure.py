"""A dot plot of methods: a row for each arm, a panel for each trainer, a colour for each group of tasks."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

from mvlpt.arms import arm_label
from mvlpt.errors import ConfigError
from mvlpt.io import atomic_write
from mvlpt.report.graphs.figures import COLOURS, DPI, INK, new_figure
from mvlpt.report.results.summary import OVERALL
from mvlpt.report.results.table import MethodSummary, ResultsTable

ENDINGS = (".png", ".svg", ".pdf")
PANEL, ROW, MARGIN = 3.6, 0.34, 1.15  # inches
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
    path = check_figure_name(path)
    panels = arm_panels(table)
    if not panels:
        raise ConfigError("No trained method has a mean over its tasks, so there is nothing to draw")
    zero_shot = next((one for one in table.summaries if one.method.zero_shot and one.overall), None)
    rows = max(map(len, panels.values()))
    figure = new_figure(PANEL * len(panels) + 1.2, ROW * rows + MARGIN)
    axes = figure.subplots(1, len(panels), sharex=True, squeeze=False)[0]
    for axis, (title, summaries) in zip(axes, panels.items(), strict=True):
        _draw_panel(axis, title, summaries, table.group_names, zero_shot)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=len(labels), frameon=False, fontsize=8)
    figure.tight_layout(rect=(0, 0.3 / figure.get_figheight(), 1, 1))
    import matplotlib

    buffer = io.BytesIO()
    metadata = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
    kind = path.suffix.lower()[1:]
    with matplotlib.rc_context({"svg.hashsalt": "mvlpt", "svg.fonttype": "path"}):  # equal figures give equal bytes
        figure.savefig(buffer, format=kind, dpi=DPI, metadata=metadata[kind])
    with atomic_write(path, "wb") as handle:
        handle.write(buffer.getvalue())
    return path


def check_figure_name(path: str | os.PathLike[str]) -> Path:
    """The path, if its ending is one that figures can have.

    Raises:
        ConfigError: it is another.
    """
    path = Path(path)
    if path.suffix.lower() not in ENDINGS:
        raise ConfigError(f"A figure cannot be written to {path}: its name must end in {', '.join(ENDINGS)}")
    return path


def arm_panels(table: ResultsTable) -> dict[str, list[MethodSummary]]:
    """The trained methods that have a mean, by trainer and shots, in the order of the table."""
    panels: dict[str, list[MethodSummary]] = {}
    for summary in table.summaries:
        if not summary.method.zero_shot and summary.overall is not None:
            panels.setdefault(f"{summary.method.trainer}, {summary.method.shots}-shot", []).append(summary)
    return panels


def _draw_panel(
    axis: Any, title: str, summaries: list[MethodSummary], groups: tuple[str, ...], zero_shot: MethodSummary | None
) -> None:
    """One trainer: a row for each arm."""
    for row, summary in enumerate(summaries):
        axis.axhline(row, color=FAINT, linewidth=0.8, zorder=0)
        cells = [(name, summary.by_group.get(name), COLOURS[index]) for index, name in enumerate(groups)]
        for name, cell, colour in [*cells, (OVERALL, summary.overall, INK)]:
            if cell is None:
                continue
            size = 8 if name == OVERALL else 5
            axis.errorbar(
                cell.mean,
                row,
                xerr=cell.sd,
                fmt="D" if name == OVERALL else "o",
                markersize=size * 0.8 if name == OVERALL else size,
                color=colour,
                elinewidth=1,
                label=name if row == 0 else None,
            )
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
    labels = [arm_label(one.method.arm, one.method.start) for one in summaries]
    axis.set_yticks(range(len(summaries)), labels, fontsize=8)
    axis.set_ylim(len(summaries) - 0.4, -0.75)
    axis.tick_params(axis="x", labelsize=8)
    axis.set_title(title, fontsize=9)
    axis.set_xlabel("score %, mean ± sd over seeds", fontsize=8)
    for side in ("top", "right", "left"):
        axis.spines[side].set_visible(False)
