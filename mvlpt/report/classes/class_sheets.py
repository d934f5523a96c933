"""The classes of a task as tables. Shapes: K classes."""

from __future__ import annotations

import numpy as np

from mvlpt.engine import ClassResults
from mvlpt.report.sheets import Column, Entry, Sheet

BAR = 20  # characters of a full bar
MATRIX = 16  # more classes than this: the most frequent confusions only
LISTED = 15
EIGHTHS = " ▏▎▍▌▋▊▉"


def classes_sheet(results: ClassResults) -> Sheet:
    """A line for each class: images, how many are recognised, and their share as a bar; the worst classes last."""
    seen = results.counts.sum(axis=1)
    order = sorted(
        range(len(results.classes)),
        key=lambda row: (np.inf if results.accuracies[row] is None else -results.accuracies[row], row),
    )
    accuracies, rows = results.accuracies, []
    for row in order:
        value = accuracies[row]
        words = ["–", ""] if value is None else [f"{value:.1f}", _bar(value)]
        counts = (str(seen[row]), str(results.counts[row, row]))
        rows.append(tuple(map(Entry, (results.classes[row], *counts, *words))))
    columns = (Column(("class",), left=True), *(Column((name,)) for name in ("images", "right", "%")))
    return Sheet(f"{results.task}: accuracy of each class", (*columns, Column(("",), left=True)), tuple(rows))


def _bar(percent: float) -> str:
    eighths = round(8 * BAR * percent / 100)
    return "█" * (eighths // 8) + EIGHTHS[eighths % 8].strip()


def confusion_sheet(results: ClassResults) -> Sheet:
    """The confusion matrix, rows true and columns predicted; of many classes the most frequent confusions."""
    if len(results.classes) > MATRIX:
        columns = (
            Column(("class",), left=True),
            Column(("taken for",), left=True),
            Column(("images",)),
            Column(("%",)),
        )
        rows = [
            tuple(map(Entry, (results.classes[true], results.classes[predicted], str(count), f"{share:.0f}")))
            for true, predicted, count, share in most_confused(results.counts, LISTED)
        ]
        return Sheet(f"{results.task}: the most frequent confusions", columns, tuple(rows))
    numbers = [str(number + 1) for number in range(len(results.classes))]
    columns = (Column(("true \\ predicted",), left=True), *(Column((number,)) for number in numbers))
    rows = [
        (
            Entry(f"{numbers[row]} {name}"),
            *(Entry(str(n) if n else "·", bold=row == column) for column, n in enumerate(results.counts[row].tolist())),
        )
        for row, name in enumerate(results.classes)
    ]
    return Sheet(f"{results.task}: confusion matrix", columns, tuple(rows))


def most_confused(counts: np.ndarray, most: int) -> list[tuple[int, int, int, float]]:
    """The most frequent mistakes: true class, predicted class, images, percent of the true class; frequent ones first.

    Args:
        counts: (K, K) images by true and predicted class.
        most: how many pairs.
    """
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    pairs = zip(*(indices.tolist() for indices in np.unravel_index(order, wrong.shape)), strict=True)
    return [(a, b, int(wrong[a, b]), 100 * wrong[a, b] / counts[a].sum()) for a, b in pairs if wrong[a, b]]
