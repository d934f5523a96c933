"""How similar two tasks' class names are: similarities in [0, 1] of frozen text features or of the names themselves.

Every function is symmetric, returns 1 for equal tasks, and does not depend on the order of the classes.

Shapes: K classes of the first task, L of the second, E width of the features.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

import numpy as np

from mvlpt.graph.similarity.vectors import as_pair, best_match, clip_unit, cosine, cosine_to_unit


def mean_cosine(text_a: np.ndarray, text_b: np.ndarray) -> float:
    """(1 + cos(a, b)) / 2 of the means a, b of the tasks' unit text features.

    The kernel mean embedding of the set of names (Muandet et al. 2017) under a linear kernel.

    Args:
        text_a: (K, E) unit text features.
        text_b: (L, E) of the second task.
    """
    text_a, text_b = as_pair(text_a, text_b)
    return cosine_to_unit(cosine(text_a.mean(axis=0), text_b.mean(axis=0)))


def chamfer(text_a: np.ndarray, text_b: np.ndarray) -> float:
    """Mean over both tasks of the mean, over classes, of (1 + c) / 2 with the most similar name of the other task.

    The Chamfer distance (Barrow et al. 1977) as a similarity. Several classes may match the same name, so a task
    whose names are a subset of another's is close to it, whatever the number of classes.

    Args:
        text_a: (K, E) unit text features.
        text_b: (L, E) of the second task.
    """
    return best_match(*as_pair(text_a, text_b))


def one_to_one(text_a: np.ndarray, text_b: np.ndarray) -> float:
    """2 / (K + L) times the largest sum of (1 + c) / 2 over one-to-one pairs of names.

    The assignment problem (Kuhn 1955), normalised like Dice's coefficient (1945): a name without a partner counts as 0,
    so the value is at most 2 min(K, L) / (K + L).

    Args:
        text_a: (K, E) unit text features.
        text_b: (L, E) of the second task.
    """
    from scipy.optimize import linear_sum_assignment

    text_a, text_b = as_pair(text_a, text_b)
    similarity = (1 + text_a @ text_b.T) / 2
    return clip_unit(2 * similarity[linear_sum_assignment(similarity, maximize=True)].sum() / sum(similarity.shape))


def name_overlap(names_a: Iterable[str], names_b: Iterable[str]) -> float:
    """|A and B| / |A or B| (Jaccard 1912) of the sets of names, normalised by :func:`plain_name`."""
    a, b = ({plain_name(name) for name in names} for names in (names_a, names_b))
    return len(a & b) / len(a | b) if a or b else 1.0


def plain_name(name: str) -> str:
    """The name in lower case, with ``_`` and runs of spaces as one space: ``Polar_Bear`` is ``polar bear``.

    Accents are part of their letters (NFC), as in text; the names of folders on macOS have them apart.
    """
    return " ".join(unicodedata.normalize("NFC", name).replace("_", " ").casefold().split())
