"""SVG to pixels: 48 x 48 RGBA, the drawing centred on a transparent square."""

from __future__ import annotations

import io
import re

import numpy as np
from PIL import Image

from embedded.packages import Icon

SIZE = 48


def rasterise(icon: Icon, *, size: int = SIZE) -> np.ndarray | None:
    """Draws an icon.

    Args:
        icon: The drawing. ``currentColor`` becomes black.
        size: Side of the square in pixels.

    Returns:
        (size, size, 4) uint8 RGBA, or None if the drawing is empty or cannot be drawn.
    """
    try:
        import resvg_py
    except ImportError as error:
        raise ImportError("Drawing SVG needs resvg_py: pip install 'mvlpt[embedded]'.") from error

    width, height = icon.box[2], icon.box[3]
    limits = {"width": size} if width >= height else {"height": size}
    try:
        data = resvg_py.svg_to_bytes(svg_string=_still(icon.svg), skip_system_fonts=True, **limits)
    except ValueError:
        return None
    with Image.open(io.BytesIO(bytes(data))) as image:
        drawing = image.convert("RGBA")
    square = Image.new("RGBA", (size, size), (0, 0, 0, 0))
    square.paste(drawing, ((size - drawing.width) // 2, (size - drawing.height) // 2))
    pixels = np.asarray(square)
    return pixels if (pixels[..., 3] > 32).sum() >= 12 else None


def _still(svg: str) -> str:
    """The drawing without animations, in black."""
    return re.sub(r"<(animate|set)\b[^>]*/>", "", svg).replace("currentColor", "#000")


def is_monochrome(pixels: np.ndarray) -> bool:
    """Whether every visible pixel of (H, W, 4) uint8 is (nearly) black: a glyph whose alpha says everything."""
    visible = pixels[..., 3] > 32
    return bool(pixels[..., :3][visible].max(initial=0) < 40)
