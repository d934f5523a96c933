"""A page with some images of every class of a task, and the classes' names."""

from __future__ import annotations

import math
import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image, ImageDraw

from mvlpt.data import Datum, labels_of
from mvlpt.data.images import read_image
from mvlpt.errors import ConfigError, DataError
from mvlpt.io import atomic_write, clean_text, counted
from mvlpt.randomness import python_stream
from mvlpt.report.tasks.fonts import draw_text, text_width

PAPER, INK, FAINT, WRONG = (255, 255, 255), (30, 30, 30), (225, 225, 225), (190, 40, 40)
GAP, TEXT, MARGIN = 4, 13, 16
LONGEST = 400  # characters of a line
FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
SIDES = {"JPEG": 65_500, "WEBP": 16_383}  # pixels that a side can have at most


class SavedSheet(NamedTuple):
    """The size of a page in pixels, and the images and classes on it."""

    width: int
    height: int
    images: int
    classes: int


def check_sheet_path(path: str | os.PathLike[str]) -> None:
    """Refuses a file whose name does not end in a suffix of :data:`FORMATS`.

    Raises:
        ConfigError: it does not.
    """
    if Path(path).suffix.lower() not in FORMATS:
        raise ConfigError(f"--out is {path}; name a file that ends in .png (or .jpg, .webp)")


def save_contact_sheet(
    dataset: Any, path: str | os.PathLike[str], *, split: str, per_class: int, classes: int, side: int, seed: int
) -> SavedSheet:
    """Draws some images of every class of a data set and saves the page.

    Args:
        dataset: the data set, with all its images.
        path: the file; its suffix is the format.
        split: ``train``, ``val`` or ``test``.
        per_class: images of each class.
        classes: only the first so many classes.
        side: the longer side of an image, in pixels.
        seed: chooses the images.

    Raises:
        ConfigError: the split has no image, or the suffix is unknown.
        DataError: the page would be too large.
    """
    check_sheet_path(path)
    items = {"train": dataset.train_x, "val": dataset.val, "test": dataset.test}[split] or []
    if not items:
        raise ConfigError(f"'{dataset.name}' has no {split} images; give another --split")
    names = list(dataset.classnames)[:classes]
    rows = sample_images(items, len(names), per_class, task=dataset.name, seed=seed)
    first = f", the first {len(names)}" if len(names) < dataset.num_classes else ""
    title = f"{dataset.name}, {split}: {counted(len(items), 'image')}, {counted(dataset.num_classes, 'class')}{first}"
    page = draw_contact_sheet(rows, names, title=title, per_class=per_class, side=side)
    format = FORMATS[Path(path).suffix.lower()]
    if max(page.size) > SIDES.get(format, max(page.size)):
        raise DataError(
            f"The sheet has {page.width} x {page.height} pixels, but a side of a {format} has at most"
            f" {SIDES[format]:,}; name a file that ends in .png, or show fewer images"
        )
    with atomic_write(path, "wb") as handle:
        page.save(handle, format)
    return SavedSheet(page.width, page.height, sum(map(len, rows)), len(names))


def sample_images(
    items: Sequence[Datum], num_classes: int, per_class: int, *, task: str, seed: int = 0
) -> list[list[Datum]]:
    """Up to ``per_class`` items of each class, drawn at random, in the order of the list."""
    members: dict[int, list[int]] = defaultdict(list)
    for index, item in enumerate(items):
        for label in labels_of(item):
            members[label].append(index)
    chosen = []
    for label in range(num_classes):
        indices = members[label]
        stream = python_stream("contact sheet", task, label, seed)
        chosen.append([items[index] for index in sorted(stream.sample(indices, min(per_class, len(indices))))])
    return chosen


def draw_contact_sheet(
    rows: Sequence[Sequence[Datum]], classnames: Sequence[str], *, title: str, per_class: int, side: int = 96
) -> Image.Image:
    """Draws the page. An unreadable image is shown as a crossed box.

    Args:
        rows: the images of each class.
        classnames: their names, as many as rows.
        title: the heading.
        per_class: images in a row; missing ones are empty boxes.
        side: the longer side of an image, in pixels.

    Raises:
        DataError: the page would be too large.
    """
    block = (per_class * (side + GAP) + MARGIN, side + TEXT + 2 * GAP + 6)
    columns = max(1, round(math.sqrt(len(rows) * block[1] / block[0] * 1.4)))
    lines = math.ceil(len(rows) / columns)
    size = (columns * block[0] + MARGIN, lines * block[1] + 3 * MARGIN)
    if size[0] * size[1] > 80_000_000:
        raise DataError(
            f"A sheet of {len(rows)} classes would have {size[0]} x {size[1]} pixels; show fewer classes or images"
        )
    page = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(page)
    draw_text(draw, (MARGIN, MARGIN // 2), clean_text(title, LONGEST), INK, TEXT + 3)
    for number, (items, name) in enumerate(zip(rows, classnames, strict=True)):
        left = MARGIN + number // lines * block[0]
        top = 2 * MARGIN + GAP + number % lines * block[1]
        _text(draw, (left, top), f"{number}  {name}", block[0] - MARGIN)
        for column in range(per_class):
            corner = (left + column * (side + GAP), top + TEXT + 6)
            if column < len(items):
                _paste(page, draw, items[column], corner, side)
            else:
                draw.rectangle((*corner, corner[0] + side - 1, corner[1] + side - 1), outline=FAINT)
    return page


def _paste(page: Image.Image, draw: ImageDraw.ImageDraw, item: Datum, corner: tuple[int, int], side: int) -> None:
    x, y = corner
    try:
        image = read_image(item.impath)
    except DataError:
        draw.rectangle((x, y, x + side - 1, y + side - 1), outline=WRONG)
        draw.line((x, y, x + side - 1, y + side - 1), fill=WRONG)
        draw.line((x, y + side - 1, x + side - 1, y), fill=WRONG)
        return
    scale = side / max(image.size)
    kind = Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.NEAREST
    image = image.resize(tuple(max(1, round(length * scale)) for length in image.size), kind)
    page.paste(image, (x + (side - image.width) // 2, y + (side - image.height) // 2))
    draw.rectangle((x, y, x + side - 1, y + side - 1), outline=FAINT)


def _text(draw: ImageDraw.ImageDraw, corner: tuple[int, int], text: str, width: int) -> None:
    """One line, truncated to the width."""
    text = clean_text(text, LONGEST)
    if text_width(draw, text, TEXT) > width:
        while text and text_width(draw, text + "...", TEXT) > width:
            text = text[:-1]
        text += "..."
    draw_text(draw, corner, text, INK, TEXT)
