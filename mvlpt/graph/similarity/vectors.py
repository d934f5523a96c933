"""Cosines and matches that both kinds of similarity are made of.

A cosine c becomes (1 + c) / 2 and is not cut off at zero, so that the order of pairs is kept. A vector of zeros has the
cosine 0 with any other; two of them are alike (1).

Shapes: K rows of the first task, L of the second, E width.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mvlpt.errors import GraphError


def same_width(a: Any, b: Any) -> tuple[np.ndarray, np.ndarray]:
    """Both arrays as float64.

    Raises:
        GraphError: their last axes differ, or a value is not finite.
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if a.ndim == 0 or b.ndim == 0 or a.shape[-1] != b.shape[-1]:
        widths = [array.shape[-1] if array.ndim else "none" for array in (a, b)]
        raise GraphError(f"Features of width {widths[0]} and {widths[1]} cannot be compared; embed with one model")
    if 0 in a.shape or 0 in b.shape:
        raise GraphError(f"Features of shapes {a.shape} and {b.shape} cannot be compared; each task needs at least one")
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
    """The mean of (1 + c) / 2 with the nearest row on the other side: over a's rows, over b's rows, and of both.

    Args:
        a: (K, E) unit rows.
        b: (L, E) unit rows.
    """
    cosines = a @ b.T
    return from_cosine((cosines.max(axis=1).mean() + cosines.max(axis=0).mean()) / 2)


def from_cosine(value: float) -> float:
    """(1 + c) / 2."""
    return within((1 + value) / 2)


def within(value: float) -> float:
    """The value, which rounding may have led out of [0, 1] by a hair."""
    return float(min(1.0, max(0.0, value)))
