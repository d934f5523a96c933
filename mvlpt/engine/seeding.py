"""The seed of the global generators. What must not depend on other draws uses :mod:`mvlpt.randomness` instead."""

from __future__ import annotations

import random

import numpy as np
import torch


def set_random_seed(seed: int) -> None:
    """Seeds the global generators of Python, NumPy and torch; a negative seed leaves them unchanged."""
    if seed >= 0:
        random.seed(seed)
        np.random.seed(seed % 2**32)
        torch.manual_seed(seed)
