"""Pictures of a task graph: what the heat map and the drawing share, and the files they go to.

Shapes: T tasks.
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mvlpt.errors import GraphError, MissingExtraError
from mvlpt.io import atomic_write

# Okabe and Ito's colours (without yellow and black), then darker ones of Tol's "muted" set: told apart by colour-blind
# eyes. Groups of one task share nothing and are grey. Group names stand in the pictures, so colours may come again.
COLOURS = (
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9",
    "#332288", "#999933", "#882255", "#44AA99", "#8C6D31", "#AA4499",
)  # fmt: skip
ALONE = "#9A9A9A"
INK, FAINT = "#222222", "#B8B8B8"
DPI = 150


def group_colours(groups: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """A colour for each group, in their order; grey for groups of one task."""
    colours, used = {}, 0
    for name, members in groups.items():
        colours[name] = COLOURS[used % len(COLOURS)] if len(members) > 1 else ALONE
        used += len(members) > 1
    return colours


def text_colour(background: str) -> str:
    """White on dark, ink on light colours."""
    red, green, blue = (int(background[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 0.6 else INK


def check_drawing(matrix: Any, tasks: Sequence[str], groups: Mapping[str, Sequence[str]]) -> np.ndarray:
    """The matrix as (T, T) float64, nan allowed.

    Raises:
        GraphError: sizes differ, or the groups do not hold every task once.
    """
    array = np.array(matrix, dtype=np.float64)
    if array.shape != (len(tasks), len(tasks)) or not len(tasks):
        raise GraphError(f"A picture of {len(tasks)} tasks needs a matrix of as many rows, not of shape {array.shape}")
    held = sorted(task for members in groups.values() for task in members)
    if held != sorted(tasks):
        wrong = sorted(set(held) ^ set(tasks)) or sorted({task for task in held if held.count(task) > 1})
        raise GraphError(f"The groups of a picture hold every task once, but '{wrong[0]}' is missing, strange or twice")
    return array


def new_figure(width: float, height: float) -> Any:
    """An empty figure of some inches, outside of pyplot's global state.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError(
            "Pictures need matplotlib, which is not installed: pip install 'mvlpt[report]', or add --no-pictures"
        ) from None
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def text_width(texts: Sequence[str], points: float) -> float:
    """Inches that the widest of some texts needs in matplotlib's own font, to a few percent."""
    return max((sum(map(_letter, text)) for text in texts), default=0.0) * points / 72


def _letter(letter: str) -> float:
    """Width of a letter, in parts of the font's size."""
    if letter in "il.,:;'|!":
        return 0.32
    if letter in "fjrt-()[]/ ":
        return 0.4
    if letter in "mwMW%@" or ord(letter) > 0x24F:
        return 1.0
    return 0.72 if letter.isupper() else 0.62


def save_figure(figure: Any, stem: str | os.PathLike[str]) -> list[Path]:
    """Writes ``stem.png`` and ``stem.svg``; the same figure gives the same bytes.

    Returns:
        The files.
    """
    import matplotlib

    paths = []
    for kind, metadata in (("png", {"Software": None}), ("svg", {"Date": None})):
        buffer = io.BytesIO()
        with matplotlib.rc_context({"svg.hashsalt": "mvlpt", "svg.fonttype": "path"}):
            figure.savefig(buffer, format=kind, dpi=DPI, metadata=metadata)
        path = Path(f"{os.fspath(stem)}.{kind}")
        with atomic_write(path, "wb") as handle:
            handle.write(buffer.getvalue())
        paths.append(path)
    return paths
