"""The weighted mean of similarity matrices, and weights as users write them.

Shapes: T tasks.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np

from mvlpt.errors import GraphError
from mvlpt.graph.checks import check_similarity
from mvlpt.graph.similarity.derived import derived_names, matrix_of
from mvlpt.graph.similarity.registry import SIMILARITIES, resolve

MIN_SPREAD = 1e-9  # a smaller one is rounding


def parse_weights(text: str) -> dict[str, float]:
    """Reads ``visual=0.5,label=0.5``; a name without ``=`` has the weight 1.

    The names are checked when they are used, since a graph may have similarities of its own.

    Raises:
        GraphError: the string is empty, a name is empty or repeated, or a weight is not a number of at least 0.
    """
    weights: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, has_weight, number = (piece.strip() for piece in part.partition("="))
        try:
            weight = float(number) if has_weight else 1.0
        except ValueError:
            raise GraphError(f"The weight '{number}' of '{name}' is not a number; write visual=0.5,label=0.5") from None
        if not name or name in weights:
            raise GraphError(f"'{text}' {'repeats ' + name if name else 'lacks a name'}; write visual=0.5,label=0.5")
        weights[name] = weight
    check_weights(weights)
    return weights


def check_weights(weights: Mapping[str, float]) -> None:
    """Checks that weights define a mean.

    Raises:
        GraphError: a weight is negative or not finite, or none is positive.
    """
    for name, weight in weights.items():
        if not math.isfinite(weight) or weight < 0:
            raise GraphError(f"The weight of '{name}' is {weight}; a weight is a number of at least 0")
    if not any(weight > 0 for weight in weights.values()):
        raise GraphError("At least one similarity needs a weight above 0, such as visual=0.5,label=0.5")


def resolve_weights(weights: Mapping[str, float], known: Iterable[str] = SIMILARITIES) -> dict[str, float]:
    """Weights by the full names of their similarities.

    Args:
        weights: name or alias to weight.
        known: the names that exist; those of :data:`~mvlpt.graph.similarity.DERIVED` that follow from them exist, too.

    Raises:
        GraphError: an unknown name, a similarity named twice, weights of which none is positive or one is negative.
    """
    check_weights(weights)
    known, given_as = tuple(known), {}
    known = (*known, *derived_names(known))
    for name in weights:
        full = resolve(name, known)
        if full in given_as:
            raise GraphError(f"The similarity '{full}' has two weights, as '{given_as[full]}' and '{name}'; drop one")
        given_as[full] = name
    return {full: float(weights[name]) for full, name in given_as.items()}


def combine(matrices: Mapping[str, np.ndarray], weights: Mapping[str, float], rescale: bool = True) -> np.ndarray:
    """The weighted mean of similarity matrices; weights are divided by their sum.

    Args:
        matrices: name to (T, T) similarity.
        weights: name or alias to weight.
        rescale: whether to rescale each matrix to [0, 1] first; see :func:`min_max_scale`. Frozen features occupy a
            narrow cone, so one similarity may vary by 0.3 and another by 0.01, and without rescaling the second
            would hardly count, whatever its weight.

    Returns:
        (T, T) float64, symmetric, in [0, 1], 1 on the diagonal.

    Raises:
        GraphError: an unknown name, a similarity named twice, weights of which none is positive or one is negative,
            or a matrix that is not a similarity or of another size.
    """
    named = resolve_weights(weights, matrices)
    total, size = math.fsum(named.values()), None
    mean: np.ndarray | float = 0.0
    for name in sorted(named):  # a fixed order, so that rounding does not depend on the order of the weights
        matrix = check_similarity(matrix_of(name, matrices), size, name=f"similarity '{name}'")
        size = len(matrix)
        mean = mean + named[name] / total * (min_max_scale(matrix) if rescale else matrix)
    mean = np.clip(mean, 0.0, 1.0)
    np.fill_diagonal(mean, 1.0)
    return mean


def min_max_scale(matrix: np.ndarray) -> np.ndarray:
    """(s - min) / (max - min) over the pairs of different tasks, with 1 on the diagonal.

    A matrix whose pairs are all equal, as with two tasks, is returned unchanged. A pair's result depends on the set of
    tasks: it changes when tasks are added or removed.

    Args:
        matrix: (T, T).
    """
    pairs = matrix[~np.eye(len(matrix), dtype=bool)]
    if len(pairs) == 0 or pairs.max() - pairs.min() < MIN_SPREAD:
        return matrix.copy()
    out = (matrix - pairs.min()) / (pairs.max() - pairs.min())
    np.fill_diagonal(out, 1.0)
    return out
