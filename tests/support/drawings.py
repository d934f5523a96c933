"""Drawings for the programs that make the embedded tasks and model."""

import numpy as np


def glyph(seed=0):
    """(48, 48) uint8 of a random blob."""
    rng = np.random.default_rng(seed)
    alpha = np.zeros((48, 48), np.uint8)
    for _ in range(5):
        top, left = rng.integers(4, 30, 2)
        alpha[top : top + rng.integers(4, 14), left : left + rng.integers(4, 14)] = 255
    return alpha
