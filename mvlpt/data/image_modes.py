"""From an image as it was stored to upright RGB of 8 bits."""

from __future__ import annotations

import numpy as np
from PIL import ExifTags, Image

from mvlpt.errors import DataError

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # by what EXIF calls orientation
_WIDE = ("PNG", "PPM")  # formats whose 16 bits Pillow hands out as 32


def upright_rgb(image: Image.Image, name: str) -> Image.Image:
    """A decoded image as RGB, turned as its EXIF record says.

    Greys of 16 bits keep their upper 8; Pillow would cut them off at 255, which leaves white.

    Args:
        image: it is loaded.
        name: what a message calls it.

    Raises:
        DataError: its numbers have no known range.
    """
    turn = _TURNS.get(_orientation(image))
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in _WIDE):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    elif image.mode in ("I", "F"):
        raise DataError(f"The image {name} holds numbers of 32 bits, whose range is not known; save it with 8 or 16")
    return (image if turn is None else image.transpose(turn)).convert("RGB")


def _orientation(image: Image.Image) -> int:
    """What EXIF says, 1 where it says nothing. A broken record says nothing: the pixels are sound."""
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # Pillow raises whatever struct, TIFF and XML parsers do
        return 1
    return value if isinstance(value, int) else 1
