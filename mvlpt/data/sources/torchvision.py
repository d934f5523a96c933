"""ELEVATER's tasks in torchvision's layout: read by torchvision's classes, with labels in the benchmark's order.

Images that torchvision stores as files are named by their paths. Images that it stores in arrays (MNIST, CIFAR,
FER2013, PCAM) are named ``ROOT/CLASS.torchvision@split/number``, which :mod:`mvlpt.data.images.reading` reads through
this module; a process keeps a few such data sets open. Nothing is downloaded here.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from mvlpt.data.datum import Datum
from mvlpt.data.sources.class_folders import match_by_name
from mvlpt.data.sources.links import LinkCheck
from mvlpt.data.sources.metadata import TaskMetadata, TorchvisionMetadata
from mvlpt.data.sources.split_rules import benchmark_shares, split_by_shares
from mvlpt.data.sources.task_table import known_tasks
from mvlpt.errors import DataError
from mvlpt.io import read_xml

SUFFIX = ".torchvision"
VEHICLES = ("Car", "Van", "Truck")
DISTANCES = (8.0, 20.0, 999.0)  # metres; label 3 means that there is no vehicle
NO_VEHICLE = 1000.0


def read_torchvision(root: Path, metadata: TaskMetadata, classnames: Sequence[str]) -> dict[str, list[Datum]]:
    """All splits of a task.

    If torchvision has one list for all splits, each class is divided in the proportions of the benchmark's split sizes.

    Args:
        root: the ``root`` argument of torchvision's classes.
        metadata: the task; its ``torchvision`` is set.
        classnames: the benchmark's names in label order.

    Returns:
        Items by split; splits missing from torchvision are empty lists.

    Raises:
        DataError: a file is missing or broken, or labels or names do not match.
    """
    source = metadata.torchvision
    assert source is not None
    splits: dict[str, list[Datum]] = {"train": [], "val": [], "test": []}
    for split in source.arguments:
        dataset = (_open if source.items else open_arrays)(str(root), source.cls, split)
        where = f"torchvision's {source.cls} in {root}, split {split}"
        pairs = _pairs(dataset, source, split, root, where)
        relabel = _relabel(dataset, source, classnames, where)
        if source.items:
            _check_files([path for path, _ in pairs], root, root / Path(source.folder).parts[0], where)
        items = [_item(path, label, relabel, classnames, metadata.multi_label, where) for path, label in pairs]
        if split == "all":
            shares = benchmark_shares(metadata.sizes._asdict())
            splits.update(split_by_shares(items, shares, task=metadata.name))
        else:
            splits[split] = items
    return splits


@functools.lru_cache(maxsize=16)  # more than all data sets of arrays together
def open_arrays(root: str, cls: str, split: str) -> Any:
    """A data set whose images torchvision stores in arrays, cached by this process.

    Raises:
        DataError: torchvision cannot read it.
    """
    return _open(root, cls, split)


def _open(root: str, cls: str, split: str) -> Any:
    from torchvision import datasets

    arguments = _source_of(cls).arguments
    if split not in arguments:
        raise DataError(f"torchvision's {cls} has no split '{split}'; it has {', '.join(arguments)}")
    try:
        return getattr(datasets, cls)(root, **arguments[split])
    except Exception as error:  # every class raises different errors on missing or broken files
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"torchvision cannot read {cls} (split {split}) in {root}: {reason}") from error


def read_array_image(path: str, entry: str) -> Image.Image:
    """The image ``split/number`` of ``ROOT/CLASS.torchvision``.

    Raises:
        DataError: there is no such image.
    """
    root, name = os.path.split(path)
    split, _, number = entry.partition("/")
    dataset = open_arrays(root, name[: -len(SUFFIX)], split)
    if not number.isdigit() or int(number) >= len(dataset):
        raise DataError(f"{path} has {len(dataset)} images in '{split}', but not number {number}")
    return dataset[int(number)][0]


def array_stamp(path: str) -> tuple[int, int]:
    """Size and time of change of the folder behind ``ROOT/CLASS.torchvision``; (-1, -1) where there is none."""
    root, name = os.path.split(path)
    try:
        status = os.stat(os.path.join(root, _source_of(name[: -len(SUFFIX)]).folder))
    except (OSError, DataError):
        return (-1, -1)
    return (status.st_size, status.st_mtime_ns)


@functools.cache
def _source_of(cls: str) -> TorchvisionMetadata:
    for metadata in known_tasks("elevater"):
        if metadata.torchvision is not None and metadata.torchvision.cls == cls:
            return metadata.torchvision
    raise DataError(f"No task is read from torchvision's {cls}")


def _pairs(dataset: Any, source: TorchvisionMetadata, split: str, root: Path, where: str) -> list[tuple[str, Any]]:
    """Path and original label of every image."""
    try:
        held = [getattr(dataset, name) for name in source.items]
        if source.cls == "Caltech101":
            categories, labels, numbers = held
            folder = Path(dataset.root) / "101_ObjectCategories"
            return [
                (f"{folder}/{categories[label]}/image_{number:04d}.jpg", categories[label])
                for label, number in zip(labels, numbers, strict=True)
            ]
        if source.order == "distance":
            pairs = sorted(zip(held[0], range(len(held[0])), strict=True))
            return [(path, _distance_label(dataset, index)) for path, index in pairs]
        if source.order == "objects":
            return [(path, _objects(target)) for path, target in zip(*held, strict=True)]
        if held:
            pairs = held[0] if len(held) == 1 else zip(*held, strict=True)
            return [(os.fspath(path), int(label)) for path, label in pairs]
        labels = _array_labels(dataset)
        return [(f"{root}/{source.cls}{SUFFIX}@{split}/{i}", int(label)) for i, label in enumerate(labels)]
    except DataError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{where}: the labels cannot be read: {reason}") from error


def _check_files(paths: Sequence[str], root: Path, folder: Path, where: str) -> None:
    """Like all index files, torchvision's are untrusted: no path may leave the root, and every file must exist."""
    base, links = os.path.abspath(root) + os.sep, LinkCheck(folder)
    for path in paths:
        if not os.path.abspath(path).startswith(base):
            raise DataError(f"{where}: the path {path} leaves the folder {root}")
        if not links.is_file(path, where):
            raise DataError(f"{where}: the file {path} does not exist")


def _array_labels(dataset: Any) -> Sequence[Any]:
    if hasattr(dataset, "targets"):
        return dataset.targets
    if hasattr(dataset, "h5py"):
        file = dataset._base_folder / dataset._FILES[dataset._split]["targets"][0]
        with dataset.h5py.File(file) as targets:
            return targets["y"][:].reshape(-1).tolist()
    labels = [label for _, label in dataset._samples]
    if None in labels:
        raise DataError(
            "FER2013's test.csv has no labels; put fer2013.csv or icml_face_data.csv into the folder fer2013"
        )
    return labels


def _objects(annotation: str) -> tuple[str, ...]:
    """Names of the objects in a VOC annotation that are not marked difficult."""
    tree = read_xml(annotation)
    return tuple(
        {thing.findtext("name", ""): None for thing in tree.iter("object") if thing.findtext("difficult", "0") != "1"}
    )


def _distance_label(dataset: Any, index: int) -> int:
    """VTAB's rule: the nearest vehicle is within 8 m, within 20 m, farther, or there is none."""
    nearest = min((t["location"][2] for t in dataset._parse_target(index) if t["type"] in VEHICLES), default=NO_VEHICLE)
    return sum(nearest > limit for limit in DISTANCES)


def _relabel(dataset: Any, source: TorchvisionMetadata, classnames: Sequence[str], where: str) -> Mapping[Any, int]:
    """The benchmark's label for every original label: by name if the names agree, else from the table."""
    order = source.order
    if isinstance(order, Mapping):
        return order
    if order == "objects":
        return {name: label for label, name in enumerate(classnames)}
    if order == "distance":
        return {label: label for label in range(len(classnames))}
    names = getattr(dataset, "classes", None)
    if names is not None:
        try:
            labels = match_by_name(names, classnames, where)
            return {raw: labels[name] for raw, name in enumerate(names)}
        except DataError:
            if order == "name":
                raise
    if names is not None and len(names) != len(classnames):
        raise DataError(f"{where}: it has {len(names)} classes, but the benchmark has {len(classnames)}")
    return dict(enumerate(order)) if isinstance(order, list) else {label: label for label in range(len(classnames))}


def _item(
    path: str, raw: Any, relabel: Mapping[Any, int], classnames: Sequence[str], multi_label: bool, where: str
) -> Datum:
    try:
        if multi_label:
            return Datum(path, tuple(sorted(relabel[one] for one in raw)))
        label = relabel[raw]
    except KeyError as error:
        raise DataError(
            f"{where}: {path} has the label {error.args[0]!r}, which is not a label of the benchmark"
        ) from None
    return Datum(path, label, 0, classnames[label])
