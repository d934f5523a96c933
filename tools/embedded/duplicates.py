"""Near-duplicate drawings: root mean square difference of small alpha thumbnails.

Shapes: N, M drawings; H = W = 48 pixels; S = 256 numbers of a 16 x 16 thumbnail.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

THUMB = 16
THRESHOLD = 0.06


def signature(alpha: np.ndarray, *, crop: bool) -> np.ndarray:
    """Thumbnail of one drawing.

    Args:
        alpha: (H, W) uint8.
        crop: Cut to the drawing's square bounding box first, so that a copy with other margins is found too.

    Returns:
        (S,) float32 in [0, 1].
    """
    if crop:
        rows, cols = np.where(alpha.max(1) > 32)[0], np.where(alpha.max(0) > 32)[0]
        if len(rows) and len(cols):
            side = max(rows[-1] - rows[0], cols[-1] - cols[0]) + 1
            top = (rows[0] + rows[-1] + 1 - side) // 2
            left = (cols[0] + cols[-1] + 1 - side) // 2
            padded = np.pad(alpha, side)
            alpha = padded[top + side : top + 2 * side, left + side : left + 2 * side]
    thumb = Image.fromarray(alpha).resize((THUMB, THUMB), Image.Resampling.BOX)
    return np.asarray(thumb, dtype=np.float32).ravel() / 255.0


def signatures(alphas: np.ndarray) -> np.ndarray:
    """Both thumbnails (as drawn, cropped) of every drawing: (N, H, W) uint8 -> (2, N, S) float32."""
    if len(alphas) == 0:
        return np.zeros((2, 0, THUMB * THUMB), dtype=np.float32)
    return np.stack([np.stack([signature(a, crop=crop) for a in alphas]) for crop in (False, True)])


def near_pairs(left: np.ndarray, right: np.ndarray, *, threshold: float = THRESHOLD, chunk: int = 1024) -> np.ndarray:
    """Pairs of drawings that nearly coincide, as drawn or after cropping.

    Args:
        left: (2, N, S) thumbnails from :func:`signatures`.
        right: (2, M, S) thumbnails.
        threshold: Pairs with RMSE below it are near-duplicates.
        chunk: Rows compared at a time.

    Returns:
        (P, 2) int64 index pairs (into left, into right), sorted.
    """
    limit = threshold**2 * left.shape[-1]
    found = []
    for start in range(0, left.shape[1], chunk):
        near = np.zeros((min(chunk, left.shape[1] - start), right.shape[1]), dtype=bool)
        for a, b in zip(left[:, start : start + chunk].astype(np.float64), right.astype(np.float64), strict=True):
            squares = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T
            near |= squares < limit
        pairs = np.argwhere(near)
        pairs[:, 0] += start
        found.append(pairs)
    return np.concatenate(found) if found else np.zeros((0, 2), dtype=np.int64)
