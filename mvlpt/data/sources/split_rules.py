"""Rules for data without splits: each class is shuffled by its own random stream and divided by shares.

The split depends on the task's name and on the names of the class's images, not on the order of files on disk, on other
tasks or on the run's seed: a data set has one test set.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from mvlpt.data.datum import Datum, labels_of
from mvlpt.errors import DataError
from mvlpt.randomness import python_stream

COOP_SHARES = {"train": 0.5, "val": 0.2}  # the rest is for testing
DEFAULT_SHARES = {"val": 0.2, "test": 0.3}


def split_by_shares(
    items: Sequence[Datum], shares: Mapping[str, float], *, task: str, rest: str = "train"
) -> dict[str, list[Datum]]:
    """Divides every class into splits.

    With n images in a class each split of ``shares`` gets round(share x n), and ``rest`` the remainder, at least one
    image: for small classes the other splits shrink, the last one first. A multi-label image belongs to its first
    class.

    Args:
        items: all images.
        shares: share of each split except ``rest``; their sum is below 1.
        task: names the random stream.
        rest: name of the split that gets the remainder.

    Returns:
        Items by split, classes in ascending order, images in the order of their shuffled class.

    Raises:
        DataError: the shares are negative or leave nothing for ``rest``.
    """
    if sum(shares.values()) >= 1 or any(share < 0 for share in shares.values()):
        raise DataError(f"'{task}': the shares {dict(shares)} must not be negative and must add up to less than 1")
    members: dict[int, list[Datum]] = defaultdict(list)
    for item in items:
        members[min(labels_of(item), default=-1)].append(item)
    output: dict[str, list[Datum]] = {rest: [], **{split: [] for split in shares}}
    for label in sorted(members):
        ordered = sorted(members[label], key=lambda item: _tail(item.impath))
        python_stream("split", task, label).shuffle(ordered)
        sizes = {split: round(share * len(ordered)) for split, share in shares.items()}
        for split in reversed(sizes):
            sizes[split] -= min(sizes[split], max(0, sum(sizes.values()) - len(ordered) + 1))
        start = 0
        for split, size in sizes.items():
            output[split] += ordered[start : start + size]
            start += size
        output[rest] += ordered[start:]
    return output


def benchmark_shares(sizes: Mapping[str, int]) -> dict[str, float]:
    """The shares that a benchmark's val and test have of all its images; splits that it does not have are left out."""
    total = sum(sizes.values())
    return {split: size / total for split, size in sizes.items() if split != "train" and size}


def fill_splits(
    splits: Mapping[str, Sequence[Datum]], shares: Mapping[str, float], *, task: str
) -> dict[str, list[Datum]]:
    """Makes missing splits from the training images.

    A missing test split gets ``shares["test"]`` of each class, a missing val split ``shares["val"]``, both of the
    training images. Existing splits, even empty ones, are not changed; a share of 0 makes no split.

    Args:
        splits: the existing splits.
        shares: shares of ``val`` and ``test``.
        task: names the random stream.
    """
    wanted = {split: share for split, share in shares.items() if split not in splits and share}
    cut = split_by_shares(splits.get("train", ()), wanted, task=task)
    return {split: cut[split] if split in cut else list(splits.get(split, ())) for split in ("train", "val", "test")}


def _tail(impath: str) -> tuple[str, ...]:
    """The last two parts of a path: class folder and file, independent of the data folder."""
    parts = [part for part in impath.replace("\\", "/").split("/") if part not in ("", ".")]
    return (*parts[-2:], impath)
