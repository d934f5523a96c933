"""Folds over the few training images of a task, to estimate how well a prompt does on images it has not seen.

Shapes: N images.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from mvlpt.data.datum import Datum
from mvlpt.errors import ConfigError, DataError, suggest
from mvlpt.io import counted
from mvlpt.randomness import python_stream

UNITS = ("auto", "images", "classes")


def fold_unit(labels: Sequence[Any]) -> str:
    """What folds leave out: ``images`` where every class has two or more, else whole ``classes``."""
    members = _by_class(labels)
    return "images" if members and min(map(len, members.values())) >= 2 else "classes"


def make_folds(
    labels: Sequence[Any], folds: int = 2, *, unit: str = "auto", task: str = "", seed: int = 0
) -> list[int]:
    """Assigns every training image to the fold that leaves it out.

    By ``images``, each class is spread over the folds as evenly as its number of images allows, and no fold leaves out
    all images of a class. By ``classes``, all images of a class are in one fold: the only possibility with one image a
    class.

    Args:
        labels: (N,) the class of every image.
        folds: their number, at least 2.
        unit: ``images``, ``classes``, or ``auto``: :func:`fold_unit` decides.
        task: names the random stream, and the task in messages.
        seed: names the random stream.

    Returns:
        (N,) numbers of folds from 0.

    Raises:
        ConfigError: too few folds, or an unknown unit.
        DataError: images with several labels, a class with one image where images are left out, or fewer images or
            classes than folds.
    """
    subject = f"Task '{task}'" if task else "The task"
    if isinstance(folds, bool) or not isinstance(folds, int) or folds < 2:
        raise ConfigError(f"The number of folds is {folds!r}; give a whole number of at least 2")
    if unit not in UNITS:
        raise ConfigError(f"Folds leave out images or classes, not '{unit}'{suggest(unit, UNITS)}")
    if any(isinstance(label, tuple) for label in labels):
        raise DataError(
            f"{subject} has images with several labels, which folds cannot spread over classes; leave it out"
        )
    members = _by_class(labels)
    unit = fold_unit(labels) if unit == "auto" else unit
    rng = python_stream("folds", task, unit, folds, seed)
    assigned = [0] * len(labels)
    if unit == "classes":
        if len(members) < folds:
            raise DataError(
                f"{subject} has {counted(len(members), 'class')}, which cannot be split into {folds} "
                "folds; use fewer folds, or at least 2 images a class"
            )
        order = sorted(members)
        rng.shuffle(order)
        for position, label in enumerate(order):
            for index in members[label]:
                assigned[index] = position % folds
        return assigned
    lonely = next((label for label, indices in sorted(members.items()) if len(indices) < 2), None)
    if lonely is not None or not members:
        raise DataError(
            f"{subject} has {'one image of class ' + str(lonely) if members else 'no training image'}, so no fold can "
            "leave images out; use at least 2 images a class, or folds of classes"
        )
    if len(labels) < folds:
        raise DataError(
            f"{subject} has {len(labels)} training images, which cannot be split into {folds} folds; use fewer folds"
        )
    start = 0
    for label in sorted(members):
        indices = list(members[label])
        rng.shuffle(indices)
        for position, index in enumerate(indices):
            assigned[index] = (start + position) % folds
        start += len(indices)  # folds stay equally large over all classes
    return assigned


def fold_split(
    train: Sequence[Datum], fold: int, folds: int, *, unit: str = "auto", task: str = "", seed: int = 0
) -> tuple[list[Datum], list[Datum]]:
    """The images to train on and those to test on, for one fold of a task's training images.

    By images, the fold is tested. By classes, all training images are tested, those of the classes that were left out
    and those that were trained on. A prompt has seen no image of the former, which favours sharing; it has learned the
    latter by heart, which favours a prompt of one's own. Over all F folds the mean gives the first the weight 1/F; so
    do estimators that mix both errors, such as the .632 bootstrap (Efron, 1983) with its own weight.

    Args:
        train: the few-shot training images.
        fold: its number, from 0.
        folds: how many there are.
        unit, task, seed: as for :func:`make_folds`.

    Returns:
        Training images and test images.

    Raises:
        ConfigError: there is no such fold, or :func:`make_folds` refuses.
        DataError: the images cannot be split.
    """
    labels = [item.label for item in train]
    assigned = make_folds(labels, folds, unit=unit, task=task, seed=seed)
    if not 0 <= fold < folds:
        raise ConfigError(f"DATASET.FOLD is {fold}; give a number from 0 to {folds - 1}")
    kept = [item for item, number in zip(train, assigned, strict=True) if number != fold]
    left = [item for item, number in zip(train, assigned, strict=True) if number == fold]
    by_classes = unit == "classes" or (unit == "auto" and fold_unit(labels) == "classes")
    return kept, list(train) if by_classes else left


def _by_class(labels: Sequence[Any]) -> dict[Any, list[int]]:
    members: dict[Any, list[int]] = defaultdict(list)
    for index, label in enumerate(labels):
        members[label].append(index)
    return members
