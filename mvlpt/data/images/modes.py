"""From an image as it was stored to upright RGB of 8 bits."""

from __future__ import annotations

import logging

import numpy as np
from PIL import Image, ImageOps

from mvlpt.errors import DataError

logger = logging.getLogger(__name__)

_WIDE = ("PNG", "PPM")  # formats whose 16 bits Pillow hands out as 32


def upright_rgb(image: Image.Image, name: str) -> Image.Image:
    """A decoded image as RGB, turned as its EXIF record says; a broken record says nothing, the pixels are sound.

    Greys of 16 bits keep their upper 8; Pillow would cut them off at 255, which leaves white.

    Args:
        image: it is loaded, and turned itself.
        name: what a message calls it.

    Raises:
        DataError: its numbers have no known range.
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
        raise DataError(f"The image {name} holds numbers of 32 bits, whose range is not known; save it with 8 or 16")
    return image.convert("RGB")
