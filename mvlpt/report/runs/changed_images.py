"""Which test images two runs answer differently, from the predictions that they recorded."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mvlpt.engine import RecordedTask, read_predictions
from mvlpt.experiment import SOURCE_FILE
from mvlpt.report.runs.compared import Side, Unit
from mvlpt.report.runs.paired import sign_test


@dataclass(frozen=True)
class ChangedImage:
    """An image that one side gets right and the other wrong.

    Attributes:
        image: its file.
        classes: its true classes.
        first, second: the class that each side found.
        gained: whether the second side is right.
    """

    image: str
    classes: tuple[str, ...]
    first: str
    second: str
    gained: bool


@dataclass(frozen=True)
class UnitChange:
    """The images of one unit on two sides."""

    unit: Unit
    both: int
    neither: int
    images: tuple[ChangedImage, ...]

    @property
    def gained(self) -> int:
        """Images that only the second side gets right."""
        return sum(image.gained for image in self.images)

    @property
    def lost(self) -> int:
        """Images that only the first side gets right."""
        return len(self.images) - self.gained


@dataclass(frozen=True)
class ImageChanges:
    """All images on two sides.

    Attributes:
        units: what is known, unit by unit.
        better, worse: images that the second side gets right more, or less, often over seeds.
        p: of the sign test over these images; with one seed it is McNemar's test.
        missing: runs that recorded no predictions.
        unequal: tasks whose recorded images differ.
    """

    units: tuple[UnitChange, ...]
    better: int
    worse: int
    p: float | None
    missing: tuple[str, ...]
    unequal: tuple[str, ...]


def image_changes(first: Side, second: Side) -> ImageChanges:
    """Compares the recorded predictions of two sides, image by image, over the units that both have."""
    read = functools.lru_cache(maxsize=64)(_tasks)  # a folder holds many units
    units, missing, unequal = [], dict[str, None](), dict[str, None]()
    votes: dict[tuple[object, str], np.ndarray] = {}
    of_first_seed: dict[tuple[object, str], RecordedTask] = {}
    for unit in first.rows:
        if unit not in second.rows:
            continue
        folders = [str(Path(side.rows[unit][SOURCE_FILE]).parent) for side in (first, second)]
        found = [(folder, read(folder).get(unit.task)) for folder in folders]
        missing.update({folder: None for folder, task in found if task is None})
        tasks = [task for _, task in found if task is not None]
        if len(tasks) < 2:
            continue
        key = (unit.method, unit.task)
        if not all(_same_images(of_first_seed.setdefault(key, tasks[0]), task) for task in tasks):
            unequal[unit.task] = None
            continue
        change, difference = _changed(unit, *tasks)
        units.append(change)
        votes[key] = votes.get(key, 0) + difference
    better = sum(int((vote > 0).sum()) for vote in votes.values())
    worse = sum(int((vote < 0).sum()) for vote in votes.values())
    return ImageChanges(tuple(units), better, worse, sign_test(better, worse), tuple(missing), tuple(unequal))


def _tasks(folder: str) -> Mapping[str, RecordedTask]:
    return {task.name: task for task in read_predictions(folder)}


def _same_images(first: RecordedTask, second: RecordedTask) -> bool:
    """Whether both list the same images in the same order; the folders of the data may differ."""
    return first.labels == second.labels and _tails(first.images) == _tails(second.images)


def _tails(images: Sequence[str]) -> list[str]:
    return ["/".join(image.split("/")[-2:]) for image in images]


def _changed(unit: Unit, first: RecordedTask, second: RecordedTask) -> tuple[UnitChange, np.ndarray]:
    right = [task.correct() for task in (first, second)]
    best = [np.nan_to_num(np.asarray(task.probabilities()), nan=-1.0).argmax(axis=1) for task in (first, second)]
    images = tuple(
        ChangedImage(
            image=first.images[index],
            classes=tuple(first.classes[label] for label in first.labels[index]),
            first=first.classes[best[0][index]],
            second=second.classes[best[1][index]],
            gained=bool(right[1][index]),
        )
        for index in np.flatnonzero(right[0] != right[1]).tolist()
    )
    both, neither = int((right[0] & right[1]).sum()), int((~right[0] & ~right[1]).sum())
    return UnitChange(unit, both, neither, images), right[1].astype(int) - right[0].astype(int)
