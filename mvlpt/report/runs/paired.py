"""Exact paired tests: sign flips of differences, and signs of images (McNemar's test)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

EXACT = 20  # differences up to which all signs are tried
DRAWS = 100_000  # signs drawn beyond that


def sign_flip_test(differences: Sequence[float]) -> float | None:
    """Two-sided p of the mean of paired differences, were each as likely to have the other sign.

    Exact over all 2^n signs for up to :data:`EXACT` differences that are not zero, else from a fixed sample of them.
    ``None`` where no difference is left.
    """
    d = np.asarray([one for one in differences if abs(one) >= 1e-6], dtype=float)
    if not d.size:
        return None
    reached = abs(d.sum()) - 1e-9
    if d.size <= EXACT:
        sums = np.zeros(1)
        for one in d:
            sums = np.concatenate((sums + one, sums - one))
        return float(np.mean(np.abs(sums) >= reached))
    signs = np.random.default_rng(0)
    far = sum(
        int((np.abs((2.0 * signs.integers(0, 2, (1000, d.size)) - 1) @ d) >= reached).sum())
        for _ in range(DRAWS // 1000)
    )
    return (far + 1) / (DRAWS + 1)


def sign_test(better: int, worse: int) -> float | None:
    """Two-sided exact p of so many pairs one way and so many the other; of images right and wrong, McNemar's test."""
    from scipy.stats import binomtest

    return float(binomtest(better, better + worse).pvalue) if better + worse else None
