"""The shipped tasks in miniature: real zips, JPEGs, index files and COCO files in the layouts of the benchmarks."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from mvlpt.data.sources import TaskMetadata, prompt_metadata, task_metadata

PER_CLASS = {"train": 3, "val": 2, "test": 2}


def picture(number: int, size: tuple[int, int] = (12, 10)) -> Image.Image:
    """An image of one colour with some noise; another number, another image."""
    rng = np.random.default_rng(number)
    pixels = rng.integers(0, 200, 3) + rng.integers(0, 50, (size[1], size[0], 3))
    return Image.fromarray(pixels.astype(np.uint8))


def encoded(number: int, format: str = "JPEG", **options: object) -> bytes:
    """The image as a file's content."""
    page = io.BytesIO()
    picture(number, **options).save(page, format)
    return page.getvalue()


def write_picture(path: Path, number: int) -> None:
    """Writes an image in the format of its suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(number).save(path)


def some_labels(num_classes: int) -> list[int]:
    """Three labels, the first and the last among them."""
    return sorted({0, num_classes // 2, num_classes - 1})


def write_official(root: Path, name: str, *, unpack: bool = False) -> Path:
    """One ELEVATER task in the official layout.

    Args:
        root: ``DATASET.ROOT``.
        name: canonical name.
        unpack: leave folders in place of the archives.

    Returns:
        The task's folder.
    """
    metadata = task_metadata(name)
    folder = root / "classification" / metadata.folder
    folder.mkdir(parents=True)
    if metadata.labels_file:
        (folder / metadata.labels_file).write_text("\n".join(prompt_metadata(name).classnames) + "\n", encoding="utf-8")
    archives: dict[str, dict[str, bytes]] = {}
    for position, (split, files) in enumerate(metadata.splits.items()):
        archive = files.archives[0]
        rows = []
        for number, labels in enumerate(_rows(metadata, PER_CLASS[split])):
            entry = f"{split} images/{number}.jpg"  # a space, as some of the data sets have
            archives.setdefault(archive, {})[entry] = encoded(1000 * position + number)
            rows.append((archive, entry, labels))
        index = _coco(metadata, rows) if metadata.format == "coco" else _iris(rows)
        (folder / files.index).write_text(index, encoding="utf-8")
    for archive, entries in archives.items():
        write_archive(folder / archive, entries, unpack=unpack)
    return folder


def write_archive(path: Path, entries: dict[str, bytes], *, unpack: bool = False) -> None:
    """A zip file, or with ``unpack`` a folder of its name."""
    if not unpack:
        with zipfile.ZipFile(path, "w") as archive:
            for entry, content in entries.items():
                archive.writestr(entry, content)
        return
    for entry, content in entries.items():
        target = path.with_suffix("") / entry
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def write_class_folders(root: Path, names: Sequence[str], splits: Sequence[str] = ("train", "val", "test")) -> Path:
    """Class folders, below folders of the splits unless ``splits`` is empty; as many images as ``PER_CLASS`` says."""
    number = 0
    for split in splits or ("",):
        for name in names:
            for _ in range(PER_CLASS.get(split, 10)):
                number += 1
                write_picture(root / split / name / f"{number}.jpg", number)
    return root


def _rows(metadata: TaskMetadata, per_class: int) -> list[tuple[int, ...]]:
    labels = some_labels(metadata.num_classes)
    rows = [(label,) for _ in range(per_class) for label in labels]
    if metadata.multi_label:
        rows += [tuple(labels[:2]), tuple(labels[1:])]
    return rows


def _iris(rows: Sequence[tuple[str, str, tuple[int, ...]]]) -> str:
    return "".join(f"{archive}@{entry} {','.join(map(str, labels))}\n" for archive, entry, labels in rows)


def _coco(metadata: TaskMetadata, rows: Sequence[tuple[str, str, tuple[int, ...]]]) -> str:
    """Category ids with gaps and out of order, image ids out of order, as the format allows."""
    ids = [10 + 3 * label for label in range(metadata.num_classes)]
    names = prompt_metadata(metadata.name).classnames
    content = {
        "images": [
            {"id": number, "file_name": entry, "zip_file": archive, "width": 12, "height": 10}
            for number, (archive, entry, _) in reversed(list(enumerate(rows, start=1)))
        ],
        "annotations": [
            {"id": number, "image_id": number, "category_id": ids[label]}
            for number, (_, _, labels) in enumerate(rows, start=1)
            for label in labels
        ],
        "categories": [{"id": i, "name": name} for i, name in reversed(list(zip(ids, names, strict=True)))],
    }
    return json.dumps(content)
