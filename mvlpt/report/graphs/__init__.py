"""Figures of a task graph: the heat map and the network, and the files they are saved to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mvlpt.lazy import lazy_exports

if TYPE_CHECKING:
    from mvlpt.report.graphs.figures import save_figure
    from mvlpt.report.graphs.grouping_figures import save_grouping_figures
    from mvlpt.report.graphs.heatmap import draw_heatmap
    from mvlpt.report.graphs.network import draw_network

__all__ = [
    "draw_heatmap",
    "draw_network",
    "save_figure",
    "save_grouping_figures",
]

__getattr__ = lazy_exports(
    __name__,
    {
        "save_figure": "figures",
        "save_grouping_figures": "grouping_figures",
        "draw_heatmap": "heatmap",
        "draw_network": "network",
    },
)
