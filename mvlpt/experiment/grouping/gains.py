"""Measured gains of a results file: how each task's score changed when it was trained with another task.

Shapes: T tasks.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mvlpt.engine import read_results
from mvlpt.graph import measured_gains


def read_gains(results: str, tasks: Sequence[str], trainer: str) -> tuple[np.ndarray, str]:
    """Gains from the pair runs of a results file.

    Args:
        results: a ``results.jsonl``.
        tasks: T names, the order of rows and columns.
        trainer: whose runs; where the file has none of it and runs of one other trainer only, that one is taken.

    Returns:
        (T, T) float64 as :func:`mvlpt.graph.measured_gains` gives it, and the trainer.

    Raises:
        GraphError: the file holds no such runs.
        RunFolderError: it cannot be read.
    """
    rows = read_results(results)
    names = {row["trainer"] for row in rows if row["arm"] in ("pair", "transfer")}
    chosen = trainer if trainer in names or len(names) != 1 else next(iter(names))
    return measured_gains(rows, tasks, trainer=chosen), chosen
