"""Which stored prompts suit a task by how alike the tasks are: plain arrays, no model.

Shapes: N stored prompts, E width of the features.
"""

from __future__ import annotations

import numpy as np

TINY = 1e-12


def rank(query: np.ndarray, stored: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Orders stored prompts by the cosine of mean image features, after what all tasks have in common is removed.

    All tasks' images share a large part of their mean feature, which says nothing about a task; so the mean over the
    stored prompts is subtracted first. With a single stored prompt nothing can be subtracted.

    Args:
        query: (E,) mean feature of the task's images.
        stored: (N, E) mean feature of the images that each prompt was tuned on.

    Returns:
        Indices (N,), the most similar first, equal ones in their order; and the similarities (N,) in [-1, 1], by index.
    """
    query, stored = np.asarray(query, np.float64), np.asarray(stored, np.float64)
    centre = stored.mean(axis=0) if len(stored) > 1 else np.zeros_like(query)
    task, tasks = query - centre, stored - centre
    lengths = np.linalg.norm(tasks, axis=1) * np.linalg.norm(task)
    cosines = tasks @ task / np.maximum(lengths, TINY)
    return np.argsort(-cosines, kind="stable"), cosines
