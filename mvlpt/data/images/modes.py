"""Converts stored images to upright 8-bit RGB."""

from __future__ import annotations

import logging

import numpy as np
from PIL import Image, ImageOps

from mvlpt.errors import DataError

logger = logging.getLogger(__name__)

_WIDE = ("PNG", "PPM")  # formats whose 16-bit values Pillow returns as 32-bit


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
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    elif image.mode in ("I", "F"):
        raise DataError(f"The image {name} has 32-bit values, whose range is not known; save it with 8 or 16 bits")
    if transparency == "white" and image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")
