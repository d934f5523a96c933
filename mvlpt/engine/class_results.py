"""How well each class of a task is recognised, and the surest mistakes: ``evaluation.json`` of a run.

The file is small: it holds the confusion matrix without its zeros, and a few images. The whole matrix has files of its
own where it is asked for. Shapes: B batch, K classes.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mvlpt.errors import RunFolderError
from mvlpt.io import atomic_write, check_head, csv_text, file_name, read_json, write_file, write_json

EVALUATION_FILE, EVALUATION_FORMAT, EVALUATION_VERSION = "evaluation.json", "mvlpt-evaluation", 1
DASSL_CONFUSIONS = "cmat.pt"
SUREST = 8  # mistakes kept of each task
MOST_CELLS = 2**26  # of all matrices of a file together, 256 MiB
_REMEDY = "delete the file, or evaluate the run again"


@dataclass(frozen=True)
class Mistake:
    """An image whose best class is wrong.

    Attributes:
        image: its file, or ``archive.zip@entry``.
        true: its class, an index.
        predicted: the class with the highest score.
        probability: of that class, among the task's own.
    """

    image: str
    true: int
    predicted: int
    probability: float


@dataclass(frozen=True)
class ClassResults:
    """What an evaluation found for one task with one label an image.

    Attributes:
        task: its name.
        metric: the name of its metric.
        value: its score, percent.
        classes: their names.
        counts: (K, K) images, by true class and predicted class.
        mistakes: the surest ones, the surest first.
    """

    task: str
    metric: str
    value: float
    classes: tuple[str, ...]
    counts: np.ndarray
    mistakes: tuple[Mistake, ...] = ()

    @property
    def accuracies(self) -> list[float | None]:
        """Percent of each class's images that are recognised; ``None`` for a class without images."""
        seen, right = self.counts.sum(axis=1).tolist(), np.diag(self.counts).tolist()
        return [100 * r / s if s else None for r, s in zip(right, seen, strict=True)]


def write_confusions(results: ClassResults, folder: str | os.PathLike[str]) -> Path:
    """Writes the counts as ``confusion_TASK.csv``, rows true and columns predicted; returns the file."""
    path = Path(folder) / file_name(f"confusion_{results.task}", ".csv")
    rows = [[name, *row] for name, row in zip(results.classes, results.counts.tolist(), strict=True)]
    write_file(path, csv_text([["true \\ predicted", *results.classes], *rows]))
    return path


def write_dassl_confusions(results: ClassResults, folder: str | os.PathLike[str]) -> None:
    """Writes Dassl's ``cmat.pt``: (K, K) shares of the images of each true class, double, 0 for a class without any."""
    counts = torch.from_numpy(results.counts).double()
    with atomic_write(Path(folder) / DASSL_CONFUSIONS, "wb") as file:
        torch.save(counts / counts.sum(dim=1, keepdim=True).clamp(min=1), file)


class SurestMistakes:
    """Keeps the surest mistakes of one task; the same ones whatever the order of the batches."""

    def __init__(self) -> None:
        self._kept: list[Mistake] = []

    def add(self, scores: torch.Tensor, labels: torch.Tensor, images: Sequence[str]) -> None:
        """Takes a batch: scores (B, K) among the task's classes, labels (B,), and the images' files."""
        best = scores.argmax(dim=1)
        wrong = (best != labels).nonzero()[:, 0]
        if not len(wrong):
            return
        sure = scores[wrong].softmax(dim=1).amax(dim=1).tolist()
        found = [
            Mistake(str(images[row]), int(labels[row]), int(best[row]), round(probability, 4))
            for row, probability in zip(wrong.tolist(), sure, strict=True)
            if probability == probability
        ]
        self._kept = sorted([*self._kept, *found], key=lambda one: (-one.probability, one.image))[:SUREST]

    @property
    def surest(self) -> tuple[Mistake, ...]:
        """The surest first."""
        return tuple(self._kept)


def write_evaluation(results: Sequence[ClassResults], folder: str | os.PathLike[str], split: str, epoch: int) -> None:
    """Writes ``evaluation.json`` of a run's folder."""
    record = {
        "format": EVALUATION_FORMAT,
        "version": EVALUATION_VERSION,
        "split": split,
        "epoch": epoch,
        "tasks": [
            {
                "task": one.task,
                "metric": one.metric,
                "value": round(one.value, 6),
                "classes": list(one.classes),
                "counts": [[*map(int, pair), int(one.counts[tuple(pair)])] for pair in np.argwhere(one.counts)],
                "mistakes": [[m.image, m.true, m.predicted, m.probability] for m in one.mistakes],
            }
            for one in results
        ],
    }
    write_json(record, Path(folder) / EVALUATION_FILE)


def read_evaluation(folder: str | os.PathLike[str]) -> dict[str, ClassResults]:
    """What ``evaluation.json`` of a run's folder holds, by task; ``{}`` where there is none.

    Raises:
        RunFolderError: the file cannot be read or is not such a file.
    """
    path = Path(folder) / EVALUATION_FILE
    if not path.exists():
        return {}
    content = check_head(
        read_json(path, remedy=_REMEDY), path, "an evaluation", format=EVALUATION_FORMAT, version=EVALUATION_VERSION,
        error=RunFolderError, remedy=_REMEDY,
    )  # fmt: skip
    try:
        entries = content["tasks"]
        cells = sum(len(entry["classes"]) ** 2 for entry in entries)
        if cells > MOST_CELLS:
            raise ValueError(f"matrices of {cells:,} numbers, more than the {MOST_CELLS:,} that are read")
        return {str(entry["task"]): _read_task(entry) for entry in entries}
    except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
        raise RunFolderError(f"{path} is damaged ({type(error).__name__}: {error}); {_REMEDY}") from None


def _read_task(entry: dict[str, Any]) -> ClassResults:
    classes = tuple(map(str, entry["classes"]))
    counts = np.zeros((len(classes), len(classes)), dtype=np.int32)
    for true, predicted, count in entry["counts"]:
        if min(true, predicted, count) < 0:
            raise ValueError("a number below 0")
        counts[true, predicted] = count
    mistakes = [
        Mistake(str(image), int(true), int(predicted), float(probability))
        for image, true, predicted, probability in entry["mistakes"]
        if 0 <= true < len(classes) and 0 <= predicted < len(classes)
    ]
    return ClassResults(
        str(entry["task"]), str(entry["metric"]), float(entry["value"]), classes, counts, tuple(mistakes)
    )
