"""Figures of a task graph: the heat map and the network, and the files they are saved to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mvlpt.lazy import lazy_exports

if TYPE_CHECKING:
    from mvlpt.report.graphs.figures import (
        COLOURS,
        FIXED,
        INK,
        check_figure_name,
        group_colours,
        new_figure,
        save_figure,
        text_width,
        write_figure,
    )
    from mvlpt.report.graphs.grouping_figures import save_grouping_figures
    from mvlpt.report.graphs.heatmap import draw_heatmap
    from mvlpt.report.graphs.network import draw_network

__all__ = [
    "COLOURS",
    "FIXED",
    "INK",
    "check_figure_name",
    "draw_heatmap",
    "draw_network",
    "group_colours",
    "new_figure",
    "save_figure",
    "save_grouping_figures",
    "text_width",
    "write_figure",
]

__getattr__ = lazy_exports(
    __name__,
    {
        "COLOURS": "figures",
        "FIXED": "figures",
        "INK": "figures",
        "check_figure_name": "figures",
        "group_colours": "figures",
        "new_figure": "figures",
        "save_figure": "figures",
        "text_width": "figures",
        "write_figure": "figures",
        "save_grouping_figures": "grouping_figures",
        "draw_heatmap": "heatmap",
        "draw_network": "network",
    },
)
