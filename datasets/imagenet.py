"""ImageNet-1k and its distribution-shift test sets: V2, Sketch, A and R.

Labels of ImageNet are ranks of its 1000 folders; ImageNet-A and -R number their own 200 folders from 0. Class names
come from ``classnames.txt`` (lines ``wnid name``) beside the images, or from the list that ships with the package.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mvlpt.data import Datum, SampledDataset
from mvlpt.data.sources import (
    LinkCheck,
    TaskMetadata,
    class_folder_names,
    how_to_get,
    image_files,
    read_benchmark,
    require_location,
)
from mvlpt.errors import DataError
from mvlpt.io import read_text


class ImageNetTask(SampledDataset):
    """ImageNet-1k: ``images/train`` and ``images/val`` (or ``train`` and ``val``).

    The official validation images are the test set, as usual. There is no val split: CoOp uses the test images again,
    which would select models on test data.
    """

    metadata: TaskMetadata
    split_origin = "official"
    transparency = "drop"

    def read(self, cfg: Any) -> tuple[Mapping[str, Sequence[Datum]], list[str]]:
        folder = require_location(cfg.DATASET.ROOT, self.metadata).path
        self.dataset_dir = str(folder)
        known = wordnet_names(folder)
        images = next((one for one in (folder / "images", folder) if (one / "train").is_dir()), None)
        if images is None:
            raise DataError(f"ImageNet: {folder / 'images' / 'train'} does not exist. {how_to_get(self.metadata)}")
        train, names = by_wordnet_id(images / "train", known, self.metadata)
        test, test_names = by_wordnet_id(images / "val", known, self.metadata)
        if names != test_names:
            raise DataError(f"ImageNet: {images / 'train'} and {images / 'val'} contain different class folders")
        return {"train": train, "test": test}, names


class ImageNetVariant(SampledDataset):
    """A test set without training images; ``NUM_SHOTS`` and ``SUBSAMPLE_CLASSES`` do not apply."""

    metadata: TaskMetadata
    split_origin = "official"
    transparency = "drop"
    uses_sampling_options = False

    def read(self, cfg: Any) -> tuple[Mapping[str, Sequence[Datum]], list[str]]:
        folder = require_location(cfg.DATASET.ROOT, self.metadata).path
        self.dataset_dir = str(folder)
        known = wordnet_names(folder)
        images = folder / self.metadata.images
        if self.name == "ImageNetV2":
            test, names = by_number(images, known, self.metadata)
        else:
            test, names = by_wordnet_id(images, known, self.metadata)
        return {"test": test}, names


def wordnet_names(folder: Path) -> dict[str, str]:
    """Class names by WordNet id, from ``classnames.txt`` or else from the package, in the file's order."""
    path = folder / "classnames.txt"
    if not path.is_file():
        return dict(read_benchmark("imagenet_classes")["classes"])
    names = {}
    for line in read_text(path).splitlines():
        wordnet_id, _, name = line.strip().partition(" ")
        if wordnet_id:
            names[wordnet_id] = name.strip()
    return names


def by_wordnet_id(images: Path, known: Mapping[str, str], metadata: TaskMetadata) -> tuple[list[Datum], list[str]]:
    """Class folders named by WordNet ids; the label is the rank of the folder."""
    folders = _folders(images, metadata)
    unknown = next((name for name in folders if name not in known), None)
    if unknown is not None:
        raise DataError(f"{metadata.name}: the folder {images / unknown} is not listed in classnames.txt")
    return _items(images, [(name, known[name]) for name in folders], metadata), [known[name] for name in folders]


def by_number(images: Path, known: Mapping[str, str], metadata: TaskMetadata) -> tuple[list[Datum], list[str]]:
    """Class folders named by label numbers, which are line numbers of ``classnames.txt``."""
    names = list(known.values())
    folders = _folders(images, metadata)
    wrong = next((name for name in folders if not name.isdecimal() or int(name) >= len(names)), None)
    if wrong is not None:
        raise DataError(f"{metadata.name}: the folder {images / wrong} is not a number below {len(names)}")
    if len(folders) != len(names):
        raise DataError(
            f"{metadata.name}: {images} contains {len(folders)} class folders, but there are {len(names)} classes"
        )
    return _items(images, [(str(label), name) for label, name in enumerate(names)], metadata), names


def _folders(images: Path, metadata: TaskMetadata) -> list[str]:
    if not images.is_dir():
        raise DataError(f"{metadata.name}: {images} does not exist. {how_to_get(metadata)}")
    return class_folder_names(images)


def _items(images: Path, classes: Sequence[tuple[str, str]], metadata: TaskMetadata) -> list[Datum]:
    links = LinkCheck(images)
    items = [
        Datum(f"{images}/{folder}/{file}", label, 0, name)
        for label, (folder, name) in enumerate(classes)
        for file in image_files(images / folder, links=links)
    ]
    if not items:
        raise DataError(f"{metadata.name}: {images} contains no image. {how_to_get(metadata)}")
    return items
