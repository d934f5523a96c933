"""Predictions as they are printed: one image after the other, so that memory does not grow with their number."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from typing import IO, NamedTuple

from mvlpt.io import clean_text, json_text, spreadsheet_cell

FORMATS = ("table", "csv", "jsonl")
WIDEST_LABEL, PATH_ROOM = 28, 24


class Prediction(NamedTuple):
    """The best classes of an image.

    Attributes:
        image: its path.
        labels: names of the best classes, the best first.
        probabilities: theirs.
    """

    image: str
    labels: Sequence[str]
    probabilities: Sequence[float]


def writer_of(
    format: str, handle: IO[str], top_k: int, class_names: Sequence[str], width: int
) -> Callable[[Prediction], None]:
    """A function that writes a prediction.

    Args:
        format: one of :data:`FORMATS`.
        handle: where to.
        top_k: classes of each prediction.
        class_names: all of them, for the width of a column.
        width: characters in a line of a table.
    """
    if format == "jsonl":
        return lambda prediction: _write_json(prediction, handle)
    if format == "csv":
        rows = csv.writer(handle, lineterminator="\n")
        numbers = ["", *(f"_{number}" for number in range(2, top_k + 1))]
        rows.writerow(["image", *(f"{name}{number}" for number in numbers for name in ("label", "probability"))])
        return lambda prediction: rows.writerow(_csv_row(prediction))
    label = min(max(len(clean_text(name)) for name in class_names), WIDEST_LABEL)
    in_a_line = top_k * (label + 10) + PATH_ROOM <= width
    return lambda prediction: handle.write((_line if in_a_line else _block)(prediction, label))


def _write_json(prediction: Prediction, handle: IO[str]) -> None:
    pairs = zip(prediction.labels, prediction.probabilities, strict=True)
    classes = [{"label": label, "probability": round(value, 6)} for label, value in pairs]
    handle.write(json_text({"image": prediction.image, "predictions": classes}) + "\n")


def _csv_row(prediction: Prediction) -> list[str]:
    pairs = zip(prediction.labels, prediction.probabilities, strict=True)
    return [spreadsheet_cell(prediction.image)] + [
        cell for label, value in pairs for cell in (spreadsheet_cell(label), f"{value:.6f}")
    ]


def _line(prediction: Prediction, width: int) -> str:
    """The classes, then the path, which is never cut."""
    pairs = zip(prediction.labels, prediction.probabilities, strict=True)
    cells = [f"{clean_text(label, width):<{width}} {100 * value:5.1f} %  " for label, value in pairs]
    return f"{''.join(cells)}{clean_text(prediction.image)}\n"


def _block(prediction: Prediction, width: int) -> str:
    """The path, then a line for each class."""
    pairs = zip(prediction.labels, prediction.probabilities, strict=True)
    lines = [f"  {100 * value:5.1f} %  {clean_text(label)}" for label, value in pairs]
    return "\n".join([clean_text(prediction.image), *lines]) + "\n"
