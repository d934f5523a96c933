"""Base and new classes, as CoOp defines them: the first half of a task's classes, rounded up, and the rest."""

from __future__ import annotations

from collections.abc import Sequence

from mvlpt.data.datum import Datum, labels_of
from mvlpt.errors import ConfigError, DataError, suggest

CHOICES = ("all", "base", "new")


def subsample_classes(*splits: Sequence[Datum], subsample: str = "all") -> list[list[Datum]]:
    """Keeps one half of the classes and numbers them from 0.

    Args:
        splits: lists of single-label items, the training list first: its labels are halved.
        subsample: ``all``, ``base`` or ``new``.

    Returns:
        New lists of new items, in the order of ``splits``; with ``all`` copies of the lists.

    Raises:
        ConfigError: no such choice.
        DataError: the items are multi-label, or no class is left.
    """
    if subsample not in CHOICES:
        raise ConfigError(f"DATASET.SUBSAMPLE_CLASSES is '{subsample}'{suggest(subsample, CHOICES)}")
    if subsample == "all":
        return [list(items) for items in splits]
    if any(isinstance(item.label, tuple) for item in splits[0]):
        raise DataError(f"DATASET.SUBSAMPLE_CLASSES {subsample}: a multi-label data set has no base and new classes")
    kept = subsampled_labels({label for item in splits[0] for label in labels_of(item)}, subsample)
    if not kept:
        raise DataError(f"DATASET.SUBSAMPLE_CLASSES {subsample} leaves no class")
    renumbered = {label: new for new, label in enumerate(kept)}
    return [
        [
            Datum(item.impath, renumbered[item.label], item.domain, item.classname)
            for item in items
            if item.label in renumbered
        ]
        for items in splits
    ]


def subsampled_labels(labels: set[int], subsample: str) -> list[int]:
    """The labels that ``base``, ``new`` or ``all`` keep, ascending."""
    ordered = sorted(labels)
    half = -(-len(ordered) // 2)
    return {"all": ordered, "base": ordered[:half], "new": ordered[half:]}[subsample]
