"""A page with some images of every class of a task, and the classes' names."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from mvlpt.data import Datum, labels_of
from mvlpt.data.images import read_image
from mvlpt.errors import DataError
from mvlpt.randomness import python_stream

PAPER, INK, FAINT, WRONG = (255, 255, 255), (30, 30, 30), (225, 225, 225), (190, 40, 40)
GAP, TEXT, MARGIN = 4, 13, 16


def choose(items: Sequence[Datum], num_classes: int, per_class: int, *, task: str, seed: int = 0) -> list[list[Datum]]:
    """Up to ``per_class`` items of each class, drawn from a stream of their own, in the order of their list."""
    members: dict[int, list[int]] = defaultdict(list)
    for place, item in enumerate(items):
        for label in labels_of(item):
            members[label].append(place)
    chosen = []
    for label in range(num_classes):
        places = members[label]
        stream = python_stream("contact sheet", task, label, seed)
        chosen.append([items[place] for place in sorted(stream.sample(places, min(per_class, len(places))))])
    return chosen


def contact_sheet(
    rows: Sequence[Sequence[Datum]], classnames: Sequence[str], *, title: str, per_class: int, side: int = 96
) -> Image.Image:
    """Draws the page. An image that cannot be read shows as a crossed box.

    Args:
        rows: the images of each class.
        classnames: their names, as many as rows.
        title: stands above.
        per_class: places for images in a row.
        side: of an image, in pixels.

    Raises:
        DataError: the page would be too large.
    """
    block = (per_class * (side + GAP) + MARGIN, side + TEXT + 2 * GAP + 6)
    columns = max(1, round(math.sqrt(len(rows) * block[1] / block[0] * 1.4)))
    lines = math.ceil(len(rows) / columns)
    size = (columns * block[0] + MARGIN, lines * block[1] + 3 * MARGIN)
    if size[0] * size[1] > 80_000_000:
        raise DataError(f"A sheet of {len(rows)} classes would have {size[0]} x {size[1]} pixels; show fewer classes")
    page = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(page)
    draw.text((MARGIN, MARGIN // 2), title, INK, _font(TEXT + 3))
    for place, (items, name) in enumerate(zip(rows, classnames, strict=True)):
        left = MARGIN + place // lines * block[0]
        top = 2 * MARGIN + GAP + place % lines * block[1]
        _text(draw, (left, top), f"{place}  {name}", block[0] - MARGIN)
        for number in range(per_class):
            corner = (left + number * (side + GAP), top + TEXT + 6)
            if number < len(items):
                _paste(page, draw, items[number], corner, side)
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
    """One line, cut to its width."""
    font = _font(TEXT)
    if draw.textlength(text, font) > width:
        while text and draw.textlength(text + "...", font) > width:
            text = text[:-1]
        text += "..."
    draw.text(corner, text, INK, font)


def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)
