"""Small images inside the page, as data; their sizes are bounded, one by one and together."""

from __future__ import annotations

import base64
import io

from PIL import Image

from mvlpt.data import read_image
from mvlpt.errors import DataError

SIDE = 96  # pixels
LARGEST, ALTOGETHER = 12_000, 1_500_000  # bytes


class Thumbnails:
    """Makes thumbnails until they would take too much room together.

    Attributes:
        missing: images that cannot be read.
        left_out: images for which there was no room.
    """

    def __init__(self, room: int = ALTOGETHER) -> None:
        self._room = room
        self.missing: list[str] = []
        self.left_out = 0

    def data(self, image: str) -> str:
        """An image as a ``data:`` address; ``""`` where it cannot be read, or where there is no room left.

        Args:
            image: a file, or ``archive.zip@entry``.
        """
        if self._room <= 0:
            self.left_out += 1
            return ""
        try:
            picture = read_image(image)
        except DataError:
            self.missing.append(image)
            return ""
        address = encoded(picture)
        self._room -= len(address)
        return address


def encoded(picture: Image.Image) -> str:
    """A picture of at most :data:`SIDE` pixels, as small as its kind allows."""
    picture = picture.convert("RGB")
    picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    for format, options in (("PNG", {"optimize": True}), ("JPEG", {"quality": 80}), ("JPEG", {"quality": 40})):
        page = io.BytesIO()
        picture.save(page, format, **options)
        if len(page.getvalue()) <= (2_500 if format == "PNG" else LARGEST):  # drawings are small as PNG, photos are not
            break
    return f"data:image/{format.lower()};base64,{base64.b64encode(page.getvalue()).decode('ascii')}"
