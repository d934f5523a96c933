"""Cosines and matches, the building blocks of visual and label similarities.

A cosine c becomes (1 + c) / 2; it is not clipped at zero, so the order of pairs is preserved. A zero vector has
cosine 0 with any other vector and 1 with another zero vector.

Shapes: K rows of the first task, L of the second, E width.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mvlpt.errors import GraphError


def as_pair(a: Any, b: Any) -> tuple[np.ndarray, np.ndarray]:
    """Two arrays to compare, as float64.

    Raises:
        GraphError: their last axes differ, or a value is not finite.
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if a.ndim == 0 or b.ndim == 0 or a.shape[-1] != b.shape[-1]:
        widths = [array.shape[-1] if array.ndim else "none" for array in (a, b)]
        raise GraphError(f"Features of width {widths[0]} and {widths[1]} cannot be compared; embed with one model")
    if 0 in a.shape or 0 in b.shape:
        raise GraphError(f"Features of shapes {a.shape} and {b.shape} cannot be compared; each needs at least one row")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise GraphError("Features with a value that is not finite cannot be compared; embed the task again")
    return a, b


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """The cosine of two vectors (E,)."""
    lengths = np.linalg.norm(a) * np.linalg.norm(b)
    if lengths > 0:
        return float(a @ b / lengths)
    return 1.0 if not a.any() and not b.any() else 0.0


def best_match(a: np.ndarray, b: np.ndarray) -> float:
    """The mean of (1 + c) / 2 with the most similar row of the other array, averaged over both directions.

    Args:
        a: (K, E) unit rows.
        b: (L, E) unit rows.
    """
    cosines = a @ b.T
    return cosine_to_unit((cosines.max(axis=1).mean() + cosines.max(axis=0).mean()) / 2)


def cosine_to_unit(value: float) -> float:
    """(1 + c) / 2."""
    return clip_unit((1 + value) / 2)


def clip_unit(value: float) -> float:
    """The value, clipped to [0, 1] against rounding."""
    return float(min(1.0, max(0.0, value)))
