"""Similarities that follow from the matrix of another one over all tasks, so that no file has to hold them.

Shapes: T tasks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

import numpy as np


def centred(similarity: np.ndarray) -> np.ndarray:
    """What tasks have in common beyond what all of them have in common.

    With s = (1 + c) / 2 for a cosine c, the matrix of c is a Gram matrix K, and H K H with H = I - 1/T is that of the
    same vectors after their mean is subtracted (double centring: Gower 1966). Its cosines become similarities again.
    Frozen features occupy a narrow cone, whose axis is common to all tasks and hides what distinguishes them. For a
    similarity that is no cosine the same formula holds by analogy; negative squared lengths count as 0.

    Args:
        similarity: (T, T) symmetric, in [0, 1].

    Returns:
        (T, T) float64, symmetric, in [0, 1], 1 on the diagonal. It changes when tasks are added or removed, but does
        not depend on their order.
    """
    gram = 2 * np.asarray(similarity, dtype=np.float64) - 1
    size = len(gram)
    if size == 0:
        return gram
    means = np.array([math.fsum(row) / size for row in gram])  # exact sums do not depend on the order of the tasks
    total = math.fsum(means) / size
    gram = gram - (means[:, None] + means[None, :]) + total
    lengths = np.sqrt(np.clip(np.diagonal(gram), 0.0, None))
    scale = lengths[:, None] * lengths[None, :]
    cosines = np.divide(gram, scale, out=np.zeros_like(gram), where=scale > 1e-12)
    found = np.clip((1 + cosines) / 2, 0.0, 1.0)
    np.fill_diagonal(found, 1.0)
    return found


DERIVED: dict[str, tuple[str, Callable[[np.ndarray], np.ndarray]]] = {"visual.centred": ("visual.frechet", centred)}
"""Name to the similarity that it follows from and the function that makes its matrix (T, T)."""


def derived_names(known: Iterable[str]) -> tuple[str, ...]:
    """The derived similarities that follow from the known ones."""
    known = set(known)
    return tuple(name for name, (base, _) in DERIVED.items() if base in known and name not in known)


def matrix_of(name: str, matrices: Mapping[str, np.ndarray]) -> np.ndarray:
    """The matrix (T, T) of a similarity by its full name, computed if it is a derived one.

    Raises:
        KeyError: neither it nor what it follows from is there.
    """
    if name in matrices or name not in DERIVED:
        return matrices[name]
    base, function = DERIVED[name]
    return function(matrices[base])
