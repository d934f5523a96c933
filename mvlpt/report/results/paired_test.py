"""Whether two methods differ over tasks: Wilcoxon's signed-rank test, as Demšar (JMLR 2006, section 3.1.3) advises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mvlpt.io import counted

SMALL = 6  # with fewer tasks that differ, no outcome has p < 0.05


@dataclass(frozen=True)
class PairedTest:
    """One comparison.

    Attributes:
        n: tasks compared.
        nonzero: tasks on which the methods differ; the test is over these.
        better: tasks on which the first method is better.
        worse: tasks on which it is worse.
        mean: mean difference, points.
        median: median difference, points.
        p: two-sided; ``None`` where no task differs.
        note: a caveat about ``p``; empty if there is none.
    """

    n: int
    nonzero: int
    better: int
    worse: int
    mean: float
    median: float
    p: float | None
    note: str = ""


def paired_test(differences: Sequence[float]) -> PairedTest:
    """Tests whether differences over tasks are symmetric about zero.

    Args:
        differences: one for each task, positive where the first method is better.

    Raises:
        ValueError: no difference is given.
    """
    d = np.asarray(differences, dtype=float)
    if d.size == 0:
        raise ValueError("a paired test needs at least one task")
    # Scores are kept to 1e-6; a difference of means below that is rounding, and must not get a rank of its own.
    d = np.where(np.abs(d) < 1e-6, 0.0, np.round(d, 9))
    nonzero = int(np.count_nonzero(d))
    p = _wilcoxon(d[d != 0]) if nonzero else None
    return PairedTest(
        n=int(d.size),
        nonzero=nonzero,
        better=int((d > 0).sum()),
        worse=int((d < 0).sum()),
        mean=float(d.mean()),
        median=float(np.median(d)),
        p=p,
        note=_note(int(d.size), nonzero),
    )


def _wilcoxon(d: np.ndarray) -> float:
    """p of the signed-rank test: exact up to 50 tasks (13 where two differences are equally large), else normal."""
    from scipy.stats import wilcoxon

    return float(wilcoxon(d).pvalue)


def _note(n: int, nonzero: int) -> str:
    if not nonzero:
        return "equal on every task" if n > 1 else "equal on the only task"
    if nonzero < SMALL:
        smallest = 2 / 2**nonzero
        tasks = counted(nonzero, "task")
        return f"small n: with {tasks} that differ{'s' * (nonzero == 1)}, p cannot be below {smallest:.3g}"
    return ""


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down correction for several tests (Scand. J. Statist. 6, 1979); ``None`` is no test and stays."""
    order = sorted((i for i, p in enumerate(p_values) if p is not None), key=lambda i: p_values[i])
    adjusted: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * p_values[i]))
        adjusted[i] = highest
    return adjusted
