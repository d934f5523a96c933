"""What the figures of a task graph share: colours, checks, text widths and saving.

Shapes: T tasks.
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mvlpt.errors import ConfigError, GraphError, MissingExtraError
from mvlpt.io import atomic_write

# Okabe and Ito's colours without yellow and black, then the darker ones of Tol's "muted" set: distinguishable by
# colour-blind readers. Groups of one task are grey. Figures show group names, so colours may repeat.
COLOURS = (
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9",
    "#332288", "#999933", "#882255", "#44AA99", "#8C6D31", "#AA4499",
)  # fmt: skip
ALONE = "#9A9A9A"
METADATA = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}  # without dates
FIXED = "fixed"  # begins the ids of groups whose letters lie on colours and keep their own in any theme
INK, FAINT = "#222222", "#B8B8B8"
DPI = 150
MOST_PIXELS = 4000  # of a figure's longer side; a larger one has fewer pixels an inch


def group_colours(groups: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """A colour for each group, in order; grey for groups of one task."""
    colours, used = {}, 0
    for name, members in groups.items():
        colours[name] = COLOURS[used % len(COLOURS)] if len(members) > 1 else ALONE
        used += len(members) > 1
    return colours


def text_colour(background: str) -> str:
    """The colour of text on a background: white on dark, ink on light colours."""
    red, green, blue = (int(background[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 0.6 else INK


def check_drawing(matrix: Any, tasks: Sequence[str], groups: Mapping[str, Sequence[str]]) -> np.ndarray:
    """The matrix as (T, T) float64; NaN is allowed.

    Raises:
        GraphError: sizes differ, or the groups do not contain every task exactly once.
    """
    array = np.array(matrix, dtype=np.float64)
    if array.shape != (len(tasks), len(tasks)) or not len(tasks):
        raise GraphError(
            f"A figure of {len(tasks)} tasks needs a {len(tasks)} x {len(tasks)} matrix, not one of shape {array.shape}"
        )
    held = sorted(task for members in groups.values() for task in members)
    if held != sorted(tasks):
        wrong = sorted(set(held) ^ set(tasks)) or sorted({task for task in held if held.count(task) > 1})
        raise GraphError(
            f"The groups of a figure must contain every task exactly once; '{wrong[0]}' is missing, unknown or repeated"
        )
    return array


def new_figure(width: float, height: float) -> Any:
    """An empty figure of a size in inches, outside pyplot's global state.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError(
            "Figures need matplotlib, which is not installed: pip install 'mvlpt[report]', or add --no-pictures"
        ) from None
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def text_width(strings: Sequence[str], points: float) -> float:
    """The width in inches of the widest string in matplotlib's default font, to a few percent."""
    return max((sum(map(_letter_width, string)) for string in strings), default=0.0) * points / 72


def _letter_width(letter: str) -> float:
    """The width of a letter, relative to the font size."""
    if letter in "il.,:;'|!":
        return 0.32
    if letter in "fjrt-()[]/ ":
        return 0.4
    if letter in "mwMW%@" or ord(letter) > 0x24F:
        return 1.0
    return 0.72 if letter.isupper() else 0.62


def save_figure(figure: Any, stem: str | os.PathLike[str]) -> list[Path]:
    """Writes ``stem.png`` and ``stem.svg``, as :func:`write_figure` does.

    Returns:
        The files written.
    """
    return [write_figure(figure, f"{os.fspath(stem)}.{kind}") for kind in ("png", "svg")]


def write_figure(figure: Any, path: str | os.PathLike[str]) -> Path:
    """Writes a figure whole or not at all, in the format of the file's ending; equal figures give equal bytes.

    Raises:
        RunFolderError: the file cannot be written.
    """
    import matplotlib

    path, buffer = Path(path), io.BytesIO()
    kind = path.suffix.lower()[1:]
    dpi = min(DPI, MOST_PIXELS / max(figure.get_size_inches()))
    with matplotlib.rc_context({"svg.hashsalt": "mvlpt", "svg.fonttype": "path"}):
        figure.savefig(buffer, format=kind, dpi=dpi, metadata=METADATA[kind])
    with atomic_write(path, "wb") as handle:
        handle.write(buffer.getvalue())
    return path


def check_figure_name(path: str | os.PathLike[str]) -> Path:
    """The path, if its ending is one that figures can have.

    Raises:
        ConfigError: it is another.
    """
    path = Path(path)
    if path.suffix.lower()[1:] not in METADATA:
        raise ConfigError(f"A figure cannot be written to {path}; name a file that ends in .png, .svg or .pdf")
    return path
