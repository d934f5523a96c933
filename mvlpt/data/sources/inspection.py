"""Checks every image of a task: unreadable and duplicate images, and differences from the benchmark."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from mvlpt.data.datum import Datum, labels_of
from mvlpt.data.images.reading import read_image
from mvlpt.data.sources.metadata import TaskMetadata
from mvlpt.errors import DataError
from mvlpt.io import counted, listed

NAMED = 5  # images listed in a sentence
SPLITS = ("train", "val", "test")
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Balance:
    """The distribution of the images of a split over the classes.

    Attributes:
        images: number of images.
        smallest, largest: images of the smallest and the largest class.
        empty: classes without an image.
    """

    images: int
    smallest: int
    largest: int
    empty: tuple[int, ...]


@dataclass
class Inspection:
    """The result of a check.

    Attributes:
        balance: by split.
        problems: sentences about errors that make results wrong or runs fail.
        remarks: sentences about harmless observations.
    """

    balance: dict[str, Balance] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def inspect_task(
    splits: Mapping[str, Sequence[Datum]],
    num_classes: int,
    metadata: TaskMetadata | None = None,
    *,
    differs: str = "",
    lenient: Sequence[str] = (),
    progress: Progress | None = None,
) -> Inspection:
    """Checks a task's splits, reading every image once; only a digest of each image stays in memory.

    Args:
        splits: all items by split, not sampled.
        num_classes: of the task.
        metadata: the metadata of the benchmark; ``None`` for a custom task.
        differs: why the sizes are known to differ from the benchmark's; differences are then remarks.
        lenient: splits whose size differences are always remarks.
        progress: called with the number of images read and the total.
    """
    found = Inspection()
    for split in SPLITS:
        items = splits.get(split) or ()
        found.balance[split] = _balance(items, num_classes)
        outside = [item for item in items if any(not 0 <= label < num_classes for label in labels_of(item))]
        if outside:
            found.problems.append(
                f"{split}: {_count(outside)} a label outside the {num_classes} classes: {_named(outside)}"
            )
        empty = found.balance[split].empty
        if items and empty:
            found.remarks.append(
                f"{split}: {len(empty)} of {num_classes} classes {'has' if len(empty) == 1 else 'have'} no image"
            )
    if metadata is not None:
        _compare(found, metadata, num_classes, differs, lenient)
    _look(found, splits, progress or (lambda done, total: None))
    return found


def _balance(items: Sequence[Datum], num_classes: int) -> Balance:
    counts = Counter(label for item in items for label in labels_of(item))
    sizes = [counts.get(label, 0) for label in range(num_classes)]
    empty = tuple(label for label, size in enumerate(sizes) if size == 0)
    return Balance(len(items), min(sizes, default=0), max(sizes, default=0), empty)


def _compare(found: Inspection, metadata: TaskMetadata, num_classes: int, differs: str, lenient: Sequence[str]) -> None:
    """Compares sizes with the benchmark's."""
    if num_classes != metadata.num_classes:
        found.problems.append(f"{num_classes} classes, but the benchmark states {metadata.num_classes}")
    if differs:
        found.remarks.append(differs)
    for split in SPLITS:
        images, stated = found.balance[split].images, getattr(metadata.sizes, split)
        if images != stated:
            say = found.remarks if differs or split in lenient else found.problems
            say.append(f"{split}: {images:,} images, but the benchmark states {stated:,}")


def _look(found: Inspection, splits: Mapping[str, Sequence[Datum]], progress: Progress) -> None:
    """Reads the images and reports unreadable and duplicate ones."""
    total, done = sum(len(splits.get(split) or ()) for split in SPLITS), 0
    by_digest: dict[bytes, list[tuple[str, Datum]]] = defaultdict(list)
    for split in SPLITS:
        broken: list[str] = []
        for item in splits.get(split) or ():
            try:
                by_digest[_digest(item)].append((split, item))
            except DataError as error:
                broken.append(str(error))
            done += 1
            progress(done, total)
        if broken:
            found.problems.append(
                f"{split}: {counted(len(broken), 'image')} cannot be read: {listed(broken, NAMED, '; ')}"
            )
    repeated = [group for group in by_digest.values() if len(group) > 1]
    for first, second in (("train", "test"), ("train", "val"), ("val", "test")):
        shared = [
            [item for split, item in group if split == second]
            for group in repeated
            if {first, second} <= {split for split, _ in group}
        ]
        if shared:
            flat = [item for items in shared for item in items]
            say = found.problems if second == "test" else found.remarks
            say.append(f"{_count(flat)} the same pixels in {second} as one in {first}: {_named(flat)}")
    for split in SPLITS:
        duplicates = [[item for one, item in group if one == split] for group in repeated]
        extra = [item for items in duplicates for item in items[1:]]
        if extra:
            found.remarks.append(f"{split}: {_count(extra)} the pixels of another one of {split}: {_named(extra)}")
    conflicts = [group[-1][1] for group in repeated if len({labels_of(item) for _, item in group}) > 1]
    if conflicts:
        found.remarks.append(f"{_count(conflicts)} the pixels of another one with another label: {_named(conflicts)}")


def _digest(item: Datum) -> bytes:
    image = read_image(item.impath)
    return hashlib.blake2b(image.tobytes(), digest_size=16, key=str(image.size).encode()).digest()


def _count(items: Sequence[Datum]) -> str:
    return counted(len(items), "image") + (" has" if len(items) == 1 else " have")


def _named(items: Sequence[Datum]) -> str:
    return listed([item.impath for item in items], NAMED)
