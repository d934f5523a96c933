"""Finds the images of a published sample in a data set, and checks that they are the sample that a run asks for."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from mvlpt.data.datum import Datum, labels_of
from mvlpt.data.sampling.fewshot import FewShotSplit
from mvlpt.data.sampling.published import SampleRow, read_sample
from mvlpt.data.sources.class_folders import normalized_name
from mvlpt.errors import DataError
from mvlpt.io import short_repr

_VOTES = 100  # rows that decide in which folder the file's paths begin


def published_split(
    path: Path,
    splits: Mapping[str, Sequence[Datum]],
    classnames: Sequence[str],
    *,
    task: str,
    shots: int,
    synonyms: Mapping[int, Sequence[str]] | None = None,
) -> FewShotSplit:
    """A task's training and validation images as a file lists them.

    Paths may begin in another folder than here, as those of another machine do; what follows must agree. An image may
    come from the training or the validation split, and where the file names its class, it must be the data set's.

    Args:
        path: the file; see :mod:`mvlpt.data.sampling.published`.
        splits: all images of the data set by split.
        classnames: in label order.
        task: the data set's name.
        shots: training images a class that the run asks for.
        synonyms: further names of a class, by label.

    Returns:
        Items of the data set, in the file's order; no validation images where the file has none.

    Raises:
        DataError: the file cannot be read, lists images that are not there, or is no sample of these shots.
    """
    rows, about = read_sample(path)
    if "task" in about and about["task"] != task:
        raise DataError(
            f"The sample {path} is of the task {short_repr(about['task'], 80)}, but the data set is '{task}'"
        )
    images = _Images(splits, rows)
    if not any(images.find(row) for row in rows):
        raise DataError(
            f"The sample {path} lists no image of the data set '{task}', the first is {short_repr(rows[0].path)}; "
            "name the file of this data set"
        )
    chosen: dict[str, dict[str, Datum]] = {"train": {}, "val": {}, "test": {}}
    for row in rows:
        item = images.checked(row, task)
        _check_class(row, item, classnames, synonyms or {}, task)
        if item.impath in chosen[row.split]:
            raise DataError(f"{row.where}: the image {short_repr(row.path)} is listed twice in {row.split}")
        chosen[row.split][item.impath] = item
    test = len(splits.get("test") or ())
    if chosen["test"] and len(chosen["test"]) < test:
        raise DataError(
            f"The sample {path} lists {len(chosen['test']):,} of the {test:,} test images of '{task}'; a run evaluates "
            "all of them, so leave the test images out of the file"
        )
    if about.get("shots", shots) != shots:
        raise DataError(
            f"The sample {path} was drawn for {short_repr(about['shots'])} shots, but the run asks for {shots}"
        )
    if "shots" not in about:
        _check_shots(path, list(chosen["train"].values()), splits.get("train") or (), classnames, shots)
    return FewShotSplit(list(chosen["train"].values()), list(chosen["val"].values()), "published")


class _Images:
    """The images of a data set, found by the paths of a file.

    The paths of both are compared from their ends. What is left of them in front, ``./data`` in the file and
    ``/mnt/images`` here, is the pair of folders that most of the first rows agree on.
    """

    def __init__(self, splits: Mapping[str, Sequence[Datum]], rows: Sequence[SampleRow]) -> None:
        self._split: dict[str, str] = {}
        self._items: dict[str, Datum] = {}
        named: dict[str, list[list[str]]] = defaultdict(list)
        for split in ("test", "val", "train"):
            for item in splits.get(split) or ():
                path = _plain(item.impath)
                self._items[path], self._split[path] = item, split
        first = [_plain(row.path) for row in rows[:_VOTES]]
        wanted = {path.rsplit("/", 1)[-1] for path in first}
        for path in self._items:
            if path.rsplit("/", 1)[-1] in wanted:
                named[path.rsplit("/", 1)[-1]].append(path.split("/"))
        votes: Counter[tuple[str, str]] = Counter()
        for path in first:
            votes.update(_folders(path.split("/"), named[path.rsplit("/", 1)[-1]]))
        best = max(votes.values(), default=0)
        self._there, self._here = min((pair for pair in votes if votes[pair] == best), key=_length, default=("", ""))

    def find(self, row: SampleRow) -> str:
        """The path of a row's image here; ``""`` if there is none."""
        path = _plain(row.path)
        if not path.startswith(self._there):
            return ""
        path = self._here + path[len(self._there) :]
        return path if path in self._items else ""

    def checked(self, row: SampleRow, task: str) -> Datum:
        """The item of a row.

        Raises:
            DataError: there is none, or it is in a split that the row does not allow.
        """
        path = self.find(row)
        if not path:
            raise DataError(f"{row.where}: the image {short_repr(row.path)} is not in the data set '{task}'")
        split = self._split[path]
        if (split == "test") != (row.split == "test"):
            raise DataError(
                f"{row.where}: the image {short_repr(row.path)} is listed in {row.split}, but the data set '{task}' "
                f"has it in {split}"
            )
        return self._items[path]


def _plain(path: str) -> str:
    """With an entry of an archive as if it were unpacked."""
    return path.replace(".zip@", ".zip/")


def _folders(parts: Sequence[str], candidates: Sequence[Sequence[str]]) -> set[tuple[str, str]]:
    """What is in front of the longest common end of a path and of those that share the longest."""
    common = [_common_end(parts, other) for other in candidates]
    longest = max(common, default=0)
    return {
        ("".join(f"{part}/" for part in parts[: len(parts) - longest]),
         "".join(f"{part}/" for part in other[: len(other) - longest]))
        for other, count in zip(candidates, common, strict=True) if count == longest
    }  # fmt: skip


def _common_end(parts: Sequence[str], other: Sequence[str]) -> int:
    count = 0
    while count < min(len(parts), len(other)) and parts[-1 - count] == other[-1 - count]:
        count += 1
    return count


def _length(pair: tuple[str, str]) -> tuple[int, tuple[str, str]]:
    return len(pair[0]) + len(pair[1]), pair


def _check_class(
    row: SampleRow, item: Datum, classnames: Sequence[str], synonyms: Mapping[int, Sequence[str]], task: str
) -> None:
    """Refuses a row whose class is not that of the image in the data set."""
    own = labels_of(item)
    names = [name for label in own for name in (classnames[label], item.classname, *synonyms.get(label, ())) if name]
    named = not row.name or row.name in names or _spelled(row.name) in map(_spelled, names)
    if (row.labels is None or sorted(row.labels) == sorted(own)) and named:
        return
    labels = own if row.labels is None else row.labels
    known = short_repr(", ".join(classnames[label] for label in own), 80)
    raise DataError(
        f"{row.where}: the image {short_repr(row.path)} is of class {_listed(labels)} ({short_repr(row.name, 80)}), "
        f"but in the data set '{task}' of class {_listed(own)} ({known}); the file is of other splits or class names"
    )


def _spelled(name: str) -> str:
    return normalized_name(name) or name


def _listed(labels: Sequence[int]) -> str:
    return ", ".join(map(str, labels[:10])) or "none"


def _check_shots(
    path: Path, train: Sequence[Datum], pool: Sequence[Datum], classnames: Sequence[str], shots: int
) -> None:
    """Refuses a sample with another number of images in a class.

    A class that has fewer images contributes all of them. Classes of multi-label images overlap and are not counted.
    """
    counts = Counter(item.label for item in train)
    most = max(counts.values())
    if shots < 1:
        raise DataError(f"The sample {path} has {most} training images a class; say so: --shots {most}")
    if any(isinstance(item.label, tuple) for item in train):
        return
    there = Counter(item.label for item in pool)
    for label, name in enumerate(classnames):
        if not min(shots, there[label]) <= counts[label] <= shots:
            raise DataError(
                f"The sample {path} has {counts[label]} training images of class {label} ({short_repr(name, 80)}), but "
                f"the run asks for {shots}; name the file of {shots} shots, or give --shots {most}"
            )
