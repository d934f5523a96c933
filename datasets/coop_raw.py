"""Reads CoOp's data sets from their raw files, if the shared split file is missing.

Each reader returns either all images (``all``), which are split 50/20/30 % by class, or the official ``trainval`` and
``test`` lists, where 20 % of each class of trainval becomes validation; aircraft has all three lists. Paths are
relative to the folder of the images, as in the split files.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from mvlpt.data import Datum
from mvlpt.data.sources import LinkCheck, TaskMetadata, class_folder_names, image_files, safe_join
from mvlpt.errors import DataError
from mvlpt.io import read_json, read_matlab, read_text

Row = tuple[str, int, str]  # relative path, label, class name
Reader = Callable[[Path, TaskMetadata], dict[str, list[Row]]]


def read_raw(folder: Path, metadata: TaskMetadata) -> dict[str, list[Row]]:
    """The raw lists of a data set.

    Raises:
        DataError: a file is missing or has a wrong format.
    """
    try:
        return READERS[metadata.format](folder, metadata)
    except FileNotFoundError as error:
        raise DataError(f"'{metadata.name}': {error.filename} does not exist") from None
    except (OSError, UnicodeDecodeError, KeyError, IndexError, ValueError, TypeError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"'{metadata.name}': the lists in {folder} do not have the expected format: {error!r}"
        ) from error


def as_items(rows: Iterable[Row], images: Path, where: str) -> list[Datum]:
    """Rows as items.

    Raises:
        DataError: a path leaves the folder of the images.
    """
    return [Datum(safe_join(images, path, where), label, 0, name) for path, label, name in rows]


def _folders(folder: Path, metadata: TaskMetadata) -> dict[str, list[Row]]:
    """One folder for each class, labels in sorted order, some folders ignored and some renamed."""
    images = folder / metadata.images
    renamed, links = metadata.extra.get("renamed", {}), LinkCheck(images)
    return {
        "all": [
            (f"{name}/{file}", label, renamed.get(name, name))
            for label, name in enumerate(class_folder_names(images, metadata.extra.get("ignored", ())))
            for file in image_files(images / name, links=links)
        ]
    }


def _flowers(folder: Path, metadata: TaskMetadata) -> dict[str, list[Row]]:
    """``imagelabels.mat`` has a label from 1 on for each image, ``cat_to_name.json`` their names."""
    file = folder / "cat_to_name.json"
    names = read_json(file, error=DataError, missing=f"The file {file} does not exist")
    labels = [int(label) for label in _matlab(folder / "imagelabels.mat")["labels"].reshape(-1)]
    return {
        "all": [(f"image_{i:05d}.jpg", label - 1, str(names[str(label)])) for i, label in enumerate(labels, start=1)]
    }


def _pets(folder: Path, metadata: TaskMetadata) -> dict[str, list[Row]]:
    """Lines ``name label species breed``, labels from 1 on; the class is the name without its last part."""

    def rows(file: str) -> list[Row]:
        found = []
        for line in _lines(folder / "annotations" / file):
            name, label, *_ = line.split()
            found.append((f"{name}.jpg", int(label) - 1, name.rpartition("_")[0].lower()))
        return found

    return {"trainval": rows("trainval.txt"), "test": rows("test.txt")}


def _cars(folder: Path, metadata: TaskMetadata) -> dict[str, list[Row]]:
    """MATLAB structures; the year of a class name moves to the front."""
    names = [str(name) for name in _matlab(folder / "devkit" / "cars_meta.mat")["class_names"].reshape(-1)]

    def rows(images: str, file: Path) -> list[Row]:
        found = []
        for one in _matlab(file)["annotations"].reshape(-1):
            label = int(one["class"]) - 1
            model, _, year = names[label].rpartition(" ")
            found.append((f"{images}/{one['fname']}", label, f"{year} {model}"))
        return found

    return {
        "trainval": rows("cars_train", folder / "devkit" / "cars_train_annos.mat"),
        "test": rows("cars_test", folder / "cars_test_annos_withlabels.mat"),
    }


def _aircraft(folder: Path, metadata: TaskMetadata) -> dict[str, list[Row]]:
    """``variants.txt`` in label order, and lines ``image variant``."""
    labels = {name: label for label, name in enumerate(_lines(folder / "variants.txt"))}
    output = {}
    for split in ("train", "val", "test"):
        pairs = [line.split(" ", 1) for line in _lines(folder / f"images_variant_{split}.txt")]
        output[split] = [(f"{image}.jpg", labels[name], name) for image, name in pairs]
    return output


def _sun(folder: Path, metadata: TaskMetadata) -> dict[str, list[Row]]:
    """Paths ``/a/abbey/x.jpg``; the class name is its path reversed, without the initial."""
    labels = {name.lstrip("/"): label for label, name in enumerate(_lines(folder / "ClassName.txt"))}

    def rows(file: str) -> list[Row]:
        paths = [line.lstrip("/") for line in _lines(folder / file)]
        return [(p, labels[p.rpartition("/")[0]], " ".join(reversed(p.split("/")[1:-1]))) for p in paths]

    return {"trainval": rows("Training_01.txt"), "test": rows("Testing_01.txt")}


def _ucf(folder: Path, metadata: TaskMetadata) -> dict[str, list[Row]]:
    """Lists of videos ``Action/video.avi``; the middle frames are in folders ``Camel_Case``."""
    lists = folder / "ucfTrainTestlist"
    labels = {}
    for line in _lines(lists / "classInd.txt"):
        number, action = line.split()
        labels[action] = int(number) - 1

    def rows(file: str) -> list[Row]:
        found = []
        for line in _lines(lists / file):
            action, video = line.split()[0].split("/")
            name = "_".join(re.findall("[A-Z][^A-Z]*", action))
            found.append((f"{name}/{video.removesuffix('.avi')}.jpg", labels[action], name))
        return found

    return {"trainval": rows("trainlist01.txt"), "test": rows("testlist01.txt")}


def _lines(path: Path) -> Sequence[str]:
    text = read_text(path, missing=f"The file {path} does not exist")
    return [line.strip() for line in text.splitlines() if line.strip()]


def _matlab(path: Path) -> dict:
    return read_matlab(path, missing=f"The file {path} does not exist", remedy="download it again")


READERS: dict[str, Reader] = {
    "class folders": _folders,
    "flowers": _flowers,
    "pets": _pets,
    "cars": _cars,
    "aircraft": _aircraft,
    "sun": _sun,
    "ucf": _ucf,
}
