"""Folders of images, one folder a class, with or without folders for the splits above them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from mvlpt.data.datum import Datum
from mvlpt.errors import DataError

IMAGE_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp", ".gif", ".jfif", ".jpe")
)
SPLIT_FOLDERS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}


def normalized_name(name: str) -> str:
    """A name in lower case, reduced to letters and digits, for matching different spellings."""
    return re.sub(r"[\W_]", "", name.lower())


def split_folders(root: Path) -> dict[str, Path]:
    """The folders of the splits below ``root``, by split; empty if ``root`` directly contains class folders.

    A class may also be called ``train``: if no such folder contains folders, they are classes.

    Raises:
        DataError: a split has two folders.
    """
    found = {}
    for split, names in SPLIT_FOLDERS.items():
        present = [root / name for name in names if (root / name).is_dir()]
        if len(present) > 1:
            raise DataError(f"{root} has two folders for the {split} split, {present[0].name} and {present[1].name}")
        if present:
            found[split] = present[0]
    return found if any(class_folder_names(folder) for folder in found.values()) else {}


def class_folder_names(root: Path, ignored: Iterable[str] = ()) -> list[str]:
    """Names of the folders below ``root`` in sorted order, without hidden and ignored ones.

    Raises:
        DataError: ``root`` is not a folder.
    """
    ignored = set(ignored)
    try:
        with os.scandir(root) as entries:
            names = {entry.name for entry in entries if entry.is_dir() and not entry.name.startswith(".")}
    except OSError as error:
        raise DataError(f"The folder {root} cannot be read: {error.strerror or error}") from error
    return sorted(names - ignored)


def image_files(folder: Path, *, any_suffix: bool = False) -> list[str]:
    """Names of the images in a folder and below it, relative to it, sorted, without hidden files."""
    found = []
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in files:
            if not name.startswith(".") and (any_suffix or os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES):
                found.append(os.path.relpath(os.path.join(here, name), folder).replace(os.sep, "/"))
    return sorted(found)


def read_class_folders(
    root: Path, labels: Mapping[str, int], classnames: Sequence[str], *, ignored: Iterable[str] = ()
) -> list[Datum]:
    """The images below ``root``, class by class in label order.

    Args:
        root: contains one folder for each class.
        labels: label of each folder.
        classnames: names in label order.
        ignored: folders to skip.

    Raises:
        DataError: a folder has no label, or there is no image at all.
    """
    folders = class_folder_names(root, ignored)
    unknown = [name for name in folders if name not in labels]
    if unknown:
        raise DataError(f"The folder {root / unknown[0]} belongs to none of the {len(classnames)} classes")
    items = [
        Datum(f"{root}/{folder}/{name}", labels[folder], 0, classnames[labels[folder]])
        for folder in sorted(folders, key=lambda name: (labels[name], name))
        for name in image_files(root / folder)
    ]
    if not items:
        raise DataError(f"The folder {root} contains no image in a class folder")
    return items


def match_by_name(names: Iterable[str], classnames: Sequence[str], where: str) -> dict[str, int]:
    """Labels of names that match class names up to case, spaces and punctuation.

    Raises:
        DataError: a name matches no class, or two names match the same one.
    """
    wanted: dict[str, int] = {}
    for label, classname in enumerate(classnames):
        if wanted.setdefault(normalized_name(classname), label) != label:
            raise DataError(f"{where}: the class name '{classname}' is too similar to another to match by name")
    found: dict[str, int] = {}
    for name in names:
        key = normalized_name(name)
        if key not in wanted:
            raise DataError(f"{where}: '{name}' is none of the {len(classnames)} class names")
        if wanted[key] in found.values():
            raise DataError(f"{where}: '{name}' and another name match the same class")
        found[name] = wanted[key]
    return found
