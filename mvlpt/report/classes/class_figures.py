"""The classes of a task as pictures: bars of accuracy, and the confusion matrix. Shapes: K classes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from mvlpt.engine import ClassResults
from mvlpt.io import clean_text, file_name
from mvlpt.report.graphs import COLOURS, INK, new_figure, save_figure, text_width

NAMED = 60  # more classes than this have no names in the matrix
COUNTED = 25  # more classes than this have no numbers in it
LONGEST = 30  # characters of a name
LARGEST = 9.0  # inches of a matrix; with very many classes its cells are smaller than dots
BARS = 200  # more classes than this: the hardest only


def draw_classes(results: ClassResults) -> Any:
    """Bars of the accuracy of each class, the best first; of very many the hardest.

    Returns:
        A matplotlib figure.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    known = [(value, row) for row, value in enumerate(results.accuracies) if value is not None]
    known = sorted(known, key=lambda pair: (-pair[0], pair[1]))[-BARS:]
    names = [clean_text(results.classes[row], LONGEST) for _, row in known]
    left, row, top = text_width(names, 8.5) + 0.25, 0.2, 0.65
    first = f", the {BARS} hardest of {len(results.classes)} classes" if len(results.classes) > BARS else ""
    height = top + row * len(known) + 0.55
    figure = _titled(f"{results.task}: {results.metric} {results.value:.1f} %{first}", left + 4.2, height)
    width = figure.get_figwidth()
    axes = figure.add_axes((left / width, 0.5 / height, 3.7 / width, row * len(known) / height))
    positions = range(len(known))
    axes.barh(positions, [value for value, _ in known], height=0.72, color=COLOURS[0])
    for position, (value, index) in zip(positions, known, strict=True):
        right, seen = int(results.counts[index, index]), int(results.counts[index].sum())
        label = f"{value:.0f} ({right} of {seen})"
        axes.text(value + 1, position, label, va="center", fontsize=7.5, color=INK)
    axes.set(xlim=(0, 122), ylim=(len(known) - 0.5, -0.5), xlabel="accuracy %")
    axes.set_xticks(range(0, 101, 20))
    axes.set_yticks(list(positions), names, fontsize=8.5, parse_math=False)
    axes.tick_params(axis="y", length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    return figure


def draw_confusions(results: ClassResults) -> Any:
    """The confusion matrix: rows are true classes, columns predicted ones, and the shade is the share of the row.

    Returns:
        A matplotlib figure.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    count = len(results.classes)
    names = [clean_text(name, LONGEST) for name in results.classes] if count <= NAMED else []
    cell, points = max(0.13, min(0.42, 12 / count)), 8.0 if count <= 40 else 6.0
    side, space = min(LARGEST, max(2.4, cell * count)), text_width(names or [str(count)], points) + 0.45
    height = space + side + 0.6
    figure = _titled(f"{results.task}: confusion matrix", space + side + 0.3, height)
    width = figure.get_figwidth()
    axes = figure.add_axes((space / width, space / height, side / width, side / height))
    shares = results.counts / np.maximum(1, results.counts.sum(axis=1, keepdims=True))
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    if names:
        axes.set_xticks(range(count), names, rotation=90, fontsize=points, parse_math=False)
        axes.set_yticks(range(count), names, fontsize=points, parse_math=False)
    axes.tick_params(length=0, labelsize=points)
    axes.set(xlabel="predicted", ylabel="true")
    if count <= COUNTED:
        for (true, predicted), number in np.ndenumerate(results.counts):
            if number:
                colour = "white" if shares[true, predicted] > 0.55 else INK
                axes.text(predicted, true, str(number), ha="center", va="center", fontsize=points - 0.5, color=colour)
    return figure


def _titled(title: str, width: float, height: float) -> Any:
    """An empty figure with a title, at least as wide as that."""
    title = clean_text(title, 120)
    width = max(width, text_width([title], 11) + 0.3)
    figure = new_figure(width, height)
    style = {"fontsize": 11, "color": INK, "va": "center", "parse_math": False}
    figure.text(0.15 / width, 1 - 0.3 / height, title, **style)
    return figure


def save_class_figure(results: ClassResults, folder: str | os.PathLike[str]) -> list[Path]:
    """Writes ``classes_TASK.png`` and ``.svg``; returns the files."""
    return save_figure(draw_classes(results), Path(folder) / f"classes_{file_name(results.task)}")


def save_confusions(results: ClassResults, folder: str | os.PathLike[str]) -> list[Path]:
    """Writes ``confusion_TASK.png`` and ``.svg``; returns the files."""
    return save_figure(draw_confusions(results), Path(folder) / f"confusion_{file_name(results.task)}")
