"""Reads the COCO-style index files of ELEVATER's data sets: ``images``, ``annotations`` and ``categories``.

A label is the rank of the category's id in ascending order, not the id; images come in the order of their ids. An image
names its archive in ``zip_file``, or in ``file_name`` as ``archive.zip@entry``, or is unpacked in the folder.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mvlpt.data.datum import Datum
from mvlpt.data.sources.index_paths import IndexPaths
from mvlpt.errors import DataError
from mvlpt.io import read_json

MAX_INDEX_BYTES = 2 * 2**30


def read_coco(
    path: str | Path,
    classnames: Sequence[str],
    *,
    root: str | Path | None = None,
    multi_label: bool = False,
    check_files: bool = True,
) -> list[Datum]:
    """Images and labels from a COCO-style file.

    Args:
        path: the index file.
        classnames: names in label order; there must be as many categories.
        root: folder the paths are relative to, by default the index file's own.
        multi_label: items have tuples of labels; else each image must have exactly one label.
        check_files: check that every file and archive entry exists.

    Raises:
        DataError: the file is missing or not of this form, an annotation names an unknown image or category, an image
            has no or several labels, a path leaves ``root``, or a file, archive or entry is missing.
    """
    path = Path(path)
    paths = IndexPaths(root if root is not None else path.parent, check_files=check_files)
    content = _read(path)
    ids = sorted({category["id"] for category in content["categories"]})
    if len(ids) != len(classnames):
        raise DataError(f"{path} has {len(ids)} categories, but the data set has {len(classnames)} classes")
    rank = {identifier: label for label, identifier in enumerate(ids)}
    images = {image["id"]: image for image in content["images"]}
    if len(images) != len(content["images"]):
        raise DataError(f"{path} gives two images the same id")
    labels: dict[Any, set[int]] = defaultdict(set)
    for annotation in content["annotations"]:
        image, category = annotation["image_id"], annotation["category_id"]
        if image not in images:
            raise DataError(f"{path}: an annotation belongs to the image {image!r}, which is not listed")
        if category not in rank:
            raise DataError(f"{path}: an annotation has category {category!r}, outside the {len(rank)} categories")
        labels[image].add(rank[category])
    items = []
    for identifier in sorted(images):
        where = f"{path}, image {identifier!r}"
        found = tuple(sorted(labels[identifier]))
        if not multi_label and len(found) != 1:
            raise DataError(f"{where}: an image of a single-label data set has one label, this one has {len(found)}")
        impath = paths.impath(_relative(images[identifier], where), where)
        items.append(Datum(impath, found) if multi_label else Datum(impath, found[0], 0, classnames[found[0]]))
    if not items:
        raise DataError(f"The index file {path} lists no image")
    return items


def read_categories(path: str | Path) -> list[str]:
    """Names of the categories in label order.

    Raises:
        DataError: the file is missing or not of this form.
    """
    categories = {category["id"]: str(category["name"]) for category in _read(Path(path))["categories"]}
    return [categories[identifier] for identifier in sorted(categories)]


def _relative(image: Mapping[str, Any], where: str) -> str:
    archive = image.get("zip_file")
    if archive is not None and not isinstance(archive, str):
        raise DataError(f"{where}: 'zip_file' is {archive!r}, but must be the name of an archive")
    return f"{archive}@{image['file_name']}" if archive else str(image["file_name"])


def _read(path: Path) -> dict[str, list[dict[str, Any]]]:
    wanted = {"images": ("id", "file_name"), "annotations": ("image_id", "category_id"), "categories": ("id", "name")}
    missing = f"The index file {path} does not exist"
    content = read_json(path, error=DataError, largest=MAX_INDEX_BYTES, missing=missing, remedy="download it again")
    for section, keys in wanted.items():
        rows = content.get(section) if isinstance(content, dict) else None
        if not isinstance(rows, list):
            raise DataError(f"The index file {path} has no list '{section}'")
        for row in rows:
            missing = [key for key in keys if not isinstance(row, dict) or not isinstance(row.get(key), (int, str))]
            if missing:
                raise DataError(f"The index file {path}: an entry of '{section}' has no usable '{missing[0]}'")
    try:
        for section in ("images", "categories"):
            sorted(row["id"] for row in content[section])
    except TypeError:
        raise DataError(f"The index file {path} mixes numbers and text as ids in '{section}'") from None
    return content
