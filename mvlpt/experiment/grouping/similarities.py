"""Similarities of all pairs of tasks; those of an earlier graph are kept where neither task has changed.

Shapes: T tasks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from mvlpt.graph import SIMILARITIES, TaskEmbedding, TaskGraph, similarity_matrices


def updated_similarities(
    embeddings: Sequence[TaskEmbedding],
    earlier: TaskGraph | None,
    unchanged: set[str],
    progress: Callable[[int, int], None],
) -> tuple[dict[str, np.ndarray], int]:
    """All similarities of the tasks.

    Args:
        embeddings: of T tasks.
        earlier: a graph whose values are kept, or ``None``.
        unchanged: names of the tasks for which they are still right.
        progress: called with the pairs compared and their number.

    Returns:
        Name to matrix (T, T) in the order of ``embeddings``, and the number of pairs that were compared.
    """
    if earlier is None or not unchanged or set(earlier.similarities) != set(SIMILARITIES):
        count = len(embeddings) * (len(embeddings) - 1) // 2
        return similarity_matrices(embeddings, progress=progress), count
    tasks = [embedding.name for embedding in embeddings]
    matrices = _kept_similarities(tasks, earlier.subset([task for task in tasks if task in unchanged]))
    pairs = [
        (i, j) for i in range(len(tasks)) for j in range(i + 1, len(tasks)) if not {tasks[i], tasks[j]} <= unchanged
    ]
    for done, (i, j) in enumerate(pairs, start=1):
        for name, values in similarity_matrices([embeddings[i], embeddings[j]]).items():
            matrices[name][i, j] = matrices[name][j, i] = values[0, 1]
        progress(done, len(pairs))
    return matrices, len(pairs)


def _kept_similarities(tasks: Sequence[str], earlier: TaskGraph) -> dict[str, np.ndarray]:
    """Matrices (T, T) with the values of an earlier graph over some of the tasks, and 0 for all other pairs."""
    rows = [tasks.index(task) for task in earlier.tasks]
    matrices = {name: np.eye(len(tasks)) for name in SIMILARITIES}
    for name, matrix in earlier.similarities.items():
        matrices[name][np.ix_(rows, rows)] = matrix
    return matrices
