"""Figures of a task graph: the heat map and the network, and the files they are saved to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mvlpt.lazy import lazy_exports

if TYPE_CHECKING:
    from mvlpt.report.graphs.figures import save_figure
    from mvlpt.report.graphs.heatmap import draw_heatmap
    from mvlpt.report.graphs.network import draw_network

__all__ = [
    "draw_heatmap",
    "draw_network",
    "save_figure",
]

__getattr__ = lazy_exports(
    __name__,
    {
        "save_figure": "figures",
        "draw_heatmap": "heatmap",
        "draw_network": "network",
    },
)
