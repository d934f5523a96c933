"""The looks a task can be rendered in. Noise is seeded by the image's name, so a look is a pure function."""

from __future__ import annotations

import hashlib

import numpy as np
from PIL import Image, ImageFilter

LOOKS = ("plain", "dark", "blueprint")

DARK_BACKGROUND, DARK_GLYPH, DARK_NOISE, DARK_SCALE = (22, 24, 30), (214, 220, 230), 55.0, 2 / 3
BLUEPRINT_BACKGROUND, BLUEPRINT_GLYPH = (92, 62, 150), (236, 214, 70)
BLUEPRINT_NOISE, BLUEPRINT_BLUR = 44.0, 1.0


def _generator(name: str, look: str) -> np.random.Generator:
    digest = hashlib.sha256(f"{look}/{name}".encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:8], "little")))


def _paint(alpha: np.ndarray, glyph: tuple[int, int, int], background: tuple[int, int, int]) -> np.ndarray:
    """Colours a glyph: (H, W) uint8 coverage -> (H, W, 3) float32 in [0, 255]."""
    cover = alpha.astype(np.float32)[..., None] / 255.0
    return cover * np.array(glyph, np.float32) + (1 - cover) * np.array(background, np.float32)


def _to_uint8(pixels: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


def shrink(alpha: np.ndarray, scale: float) -> np.ndarray:
    """Draws the glyph smaller in the middle of the same square: (H, W) uint8 -> (H, W) uint8."""
    side = round(alpha.shape[0] * scale)
    small = np.asarray(Image.fromarray(alpha).resize((side, side), Image.Resampling.BOX))
    shrunk = np.zeros_like(alpha)
    start = (alpha.shape[0] - side) // 2
    shrunk[start : start + side, start : start + side] = small
    return shrunk


def plain(alpha: np.ndarray, name: str) -> np.ndarray:
    """Black glyph on white."""
    return _to_uint8(_paint(alpha, (0, 0, 0), (255, 255, 255)))


def dark(alpha: np.ndarray, name: str) -> np.ndarray:
    """Dark theme: a light glyph at two thirds of its size on near-black, with sensor noise."""
    noise = _generator(name, "dark").normal(0.0, DARK_NOISE, (*alpha.shape, 3))
    return _to_uint8(_paint(shrink(alpha, DARK_SCALE), DARK_GLYPH, DARK_BACKGROUND) + noise)


def blueprint(alpha: np.ndarray, name: str) -> np.ndarray:
    """Yellow glyph on violet, blurred, over coarse and fine noise."""
    rng = _generator(name, "blueprint")
    image = Image.fromarray(_to_uint8(_paint(alpha, BLUEPRINT_GLYPH, BLUEPRINT_BACKGROUND)))
    blurred = np.asarray(image.filter(ImageFilter.GaussianBlur(BLUEPRINT_BLUR)), dtype=np.float32)
    coarse = rng.normal(0.0, BLUEPRINT_NOISE, (alpha.shape[0] // 4, alpha.shape[1] // 4, 3)).repeat(4, 0).repeat(4, 1)
    fine = rng.normal(0.0, BLUEPRINT_NOISE, (*alpha.shape, 3))
    return _to_uint8(blurred + 0.5 * coarse + 0.6 * fine)


PAINTERS = {"plain": plain, "dark": dark, "blueprint": blueprint}


def render(alpha: np.ndarray, *, look: str, name: str) -> np.ndarray:
    """Renders a glyph.

    Args:
        alpha: (48, 48) uint8 coverage.
        look: One of :data:`LOOKS`.
        name: The image's name; seeds its noise.

    Returns:
        (48, 48, 3) uint8.
    """
    if look not in PAINTERS:
        raise ValueError(f"Unknown look {look!r}; there are {', '.join(LOOKS)}.")
    return PAINTERS[look](alpha, name)


def describe(look: str) -> str:
    """One sentence about a look."""
    return PAINTERS[look].__doc__ or ""
