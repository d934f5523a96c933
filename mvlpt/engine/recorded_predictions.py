"""Reads what a run recorded of its test images: probabilities, files and labels, task by task."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mvlpt.errors import DataError
from mvlpt.io import check_head, map_array, read_json, read_json_lines

PREDICTIONS_FOLDER, PREDICTIONS_INDEX, PREDICTIONS_FORMAT = "predictions", "index.json", 1
REMEDY = "evaluate the run again"


@dataclass(frozen=True)
class RecordedTask:
    """The predictions of one task.

    Attributes:
        name: of the task.
        classes: its class names in label order.
        metric: its metric.
        multi_label: whether images may have several labels.
        images: the file of each test image, ``archive.zip@entry`` for one in an archive.
        labels: the labels of each image.
        path: the ``.npy`` file of probabilities.
    """

    name: str
    classes: tuple[str, ...]
    metric: str
    multi_label: bool
    images: tuple[str, ...]
    labels: tuple[tuple[int, ...], ...]
    path: Path

    def probabilities(self) -> np.ndarray:
        """The probabilities (N, K), memory-mapped; rows of NaN where an image could not be read.

        Raises:
            DataError: the file is missing, no array, or of another shape.
        """
        array = map_array(self.path, "f", remedy=REMEDY)
        if array.shape != (len(self.images), len(self.classes)):
            raise DataError(
                f"{self.path} holds predictions of shape {array.shape}, but the task has {len(self.images)} images and"
                f" {len(self.classes)} classes; {REMEDY}"
            )
        return array

    def correct(self) -> np.ndarray:
        """Whether the most probable class of each image is one of its labels (N,); false where it could not be read."""
        array = np.asarray(self.probabilities())
        readable = ~np.isnan(array).any(axis=1)
        best = np.where(np.isnan(array), -1.0, array).argmax(axis=1)
        right = [label in labels for label, labels in zip(best.tolist(), self.labels, strict=True)]
        return np.asarray(right, dtype=bool) & readable


def read_predictions(run: str | os.PathLike[str]) -> tuple[RecordedTask, ...]:
    """The recorded predictions of a run; empty where it recorded none, or none with their images (version 0.1.0).

    Raises:
        DataError: the record is damaged.
    """
    folder = Path(run) / PREDICTIONS_FOLDER
    if not (folder / PREDICTIONS_INDEX).is_file():
        return ()
    where = folder / PREDICTIONS_INDEX
    content = read_json(where, error=DataError, remedy=REMEDY)
    index = check_head(content, where, "a record of predictions", format=PREDICTIONS_FORMAT, remedy=REMEDY)
    try:
        return tuple(_task(folder, task) for task in index["tasks"] if "items" in task)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{where} is damaged ({type(error).__name__}: {error}); {REMEDY}") from error


def _task(folder: Path, task: dict[str, object]) -> RecordedTask:
    items = folder / Path(str(task["items"])).name
    rows = [row for _, row in read_json_lines(items, error=DataError, remedy=REMEDY)]
    return RecordedTask(
        name=str(task["name"]),
        classes=tuple(map(str, task["classes"])),
        metric=str(task["metric"]),
        multi_label=bool(task["multi_label"]),
        images=tuple(str(row["image"]) for row in rows),
        labels=tuple(tuple(map(int, row["labels"])) for row in rows),
        path=folder / Path(str(task["file"])).name,
    )
