"""Converts stored images to upright 8-bit RGB."""

from __future__ import annotations

import logging

import numpy as np
from PIL import Image, ImageOps

from mvlpt.errors import DataError

logger = logging.getLogger(__name__)

_WIDE = ("PNG", "PPM")  # formats whose 16-bit values Pillow returns as 32-bit
TILE = 2**22  # pixels
_FEW_BITS = {"L;2": 85, "L;4": 17}  # how it stretches greys of fewer bits to 0..255


def rescale_transparent_colour(image: Image.Image) -> None:
    """Brings the transparent colour of a PNG to the levels that Pillow will decode it to; before it is decoded.

    Of images with 2 or 4 bits, or with 16 bits a channel, Pillow rescales the pixels but not this colour.
    """
    clear = image.info.get("transparency")
    layout = image.tile[0].args if image.format == "PNG" and len(image.tile) == 1 else ""
    if layout in _FEW_BITS and isinstance(clear, int):
        image.info["transparency"] = clear * _FEW_BITS[layout]
    elif layout == "RGB;16B" and isinstance(clear, tuple):
        image.info["transparency"] = tuple(value >> 8 for value in clear)


def upright_rgb(image: Image.Image, name: str, transparency: str = "white") -> Image.Image:
    """A decoded image as RGB, rotated by its EXIF record; a broken record is ignored.

    Of 16-bit greys the upper 8 bits are kept; Pillow would clip them at 255, which gives white.

    Args:
        image: loaded; it is rotated in place.
        name: its name in error messages.
        transparency: ``white`` puts a transparent image on white; ``drop`` ignores its alpha channel, as Pillow's
            plain conversion and the benchmarks do.

    Raises:
        DataError: its values have no known range.
    """
    try:
        ImageOps.exif_transpose(image, in_place=True)
    except MemoryError:
        raise
    except Exception as error:  # Pillow raises whatever its struct, TIFF and XML parsers do
        logger.debug("%s: its EXIF record cannot be read: %s", name, error)
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in _WIDE):
        values, clear = np.asarray(image), image.info.get("transparency")
        levels = (values >> 8).astype(np.uint8)
        if transparency == "white" and isinstance(clear, int):
            levels[values == clear] = 255
        image = Image.fromarray(levels)
    elif image.mode in ("I", "F"):
        raise DataError(f"The image {name} has 32-bit values, whose range is not known; save it with 8 or 16 bits")
    if transparency == "white" and image.has_transparency_data:
        return _on_white(image)
    return image.convert("RGB")


def _on_white(image: Image.Image) -> Image.Image:
    """The image over white, in tiles, since Pillow needs it four times over to do it at once."""
    page = Image.new("RGB", image.size)
    columns = min(image.width, TILE)
    rows = max(1, TILE // columns)
    for top in range(0, image.height, rows):
        for left in range(0, image.width, columns):
            tile = image.crop((left, top, min(left + columns, image.width), min(top + rows, image.height)))
            tile = tile.convert("RGBA")
            page.paste(Image.alpha_composite(Image.new("RGBA", tile.size, "white"), tile).convert("RGB"), (left, top))
    return page
