"""The similarities by name, their matrices over a set of tasks, and their weighted mean.

Shapes: T tasks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from mvlpt.errors import GraphError, suggest
from mvlpt.graph.checks import check_similarity, check_tasks
from mvlpt.graph.embeddings.embedding import TaskEmbedding
from mvlpt.graph.similarity import label as label_similarity
from mvlpt.graph.similarity import visual as visual_similarity

SIMILARITIES: dict[str, Callable[[TaskEmbedding, TaskEmbedding], float]] = {
    "visual.mean": lambda a, b: visual_similarity.mean_cosine(a.mean, b.mean),
    "visual.frechet": lambda a, b: visual_similarity.frechet(a.mean, a.root, b.mean, b.root),
    "visual.prototypes": lambda a, b: visual_similarity.prototype_matching(a.prototypes, b.prototypes),
    "visual.cka": lambda a, b: visual_similarity.covariance_alignment(a.covariance, b.covariance),
    "visual.transport": lambda a, b: visual_similarity.transport(
        a.prototypes, a.text, a.counts, b.prototypes, b.text, b.counts
    ),
    "label.mean": lambda a, b: label_similarity.mean_cosine(a.text, b.text),
    "label.chamfer": lambda a, b: label_similarity.chamfer(a.text, b.text),
    "label.matching": lambda a, b: label_similarity.one_to_one(a.text, b.text),
    "label.names": lambda a, b: label_similarity.name_overlap(a.class_names, b.class_names),
}

# Fréchet sees where the images lie and how they spread, and nothing of the labels, which would count twice beside
# "label"; Chamfer does not mistake a difference in the number of classes for a difference in what they are.
ALIASES = {"visual": "visual.frechet", "label": "label.chamfer"}

FLAT = 1e-9  # a spread below this is rounding


def resolve(name: str, known: Iterable[str] = SIMILARITIES) -> str:
    """The full name of a similarity; ``visual`` and ``label`` stand for :data:`ALIASES`.

    Args:
        name: what was asked for.
        known: the names there are.

    Raises:
        GraphError: there is no such similarity; the nearest is suggested.
    """
    known = tuple(known)
    if name in known:
        return name
    if ALIASES.get(name) in known:
        return ALIASES[name]
    aliases = [alias for alias, full in ALIASES.items() if full in known]
    raise GraphError(f"There is no similarity '{name}'{suggest(name, [*aliases, *known])}")


def similarity_matrices(
    embeddings: Sequence[TaskEmbedding],
    names: Iterable[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, np.ndarray]:
    """Every pair of tasks under every similarity.

    Args:
        embeddings: of T tasks.
        names: which similarities, or their aliases; all of :data:`SIMILARITIES` by default.
        progress: called with the pairs done and their number, both summed over the similarities.

    Returns:
        Full name to (T, T) float64, symmetric, 1 on the diagonal, in the order of ``embeddings``.

    Raises:
        GraphError: an unknown similarity, a task twice, features of different widths.
    """
    wanted = list(dict.fromkeys(resolve(name) for name in (SIMILARITIES if names is None else names)))
    check_tasks([embedding.name for embedding in embeddings])
    for other in embeddings[1:]:
        if other.width != embeddings[0].width:
            raise GraphError(
                f"Tasks '{embeddings[0].name}' and '{other.name}' have features of width {embeddings[0].width} and "
                f"{other.width}; embed all tasks with one model"
            )
    size = len(embeddings)
    total, done = len(wanted) * size * (size - 1) // 2, 0
    matrices = {}
    for name in wanted:
        matrix = np.eye(size)
        for i in range(size):
            for j in range(i + 1, size):
                # the pair in the order of its names, so that rounding does not depend on the order of the tasks
                a, b = sorted((embeddings[i], embeddings[j]), key=lambda embedding: embedding.name)
                matrix[i, j] = matrix[j, i] = SIMILARITIES[name](a, b)
            done += size - 1 - i
            if progress is not None and i < size - 1:
                progress(done, total)
        matrices[name] = matrix
    return matrices


def parse_weights(text: str) -> dict[str, float]:
    """Reads ``visual=0.5,label=0.5``; a name without ``=`` has the weight 1.

    The names are checked where they are used, since a graph may hold similarities of its own.

    Raises:
        GraphError: nothing is there, a name is empty or stands twice, or a weight is not a number of at least 0.
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
    """Refuses weights that no mean can be taken with.

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
        known: the names there are.

    Raises:
        GraphError: an unknown name, a similarity named twice, weights of which none is positive or one is negative.
    """
    check_weights(weights)
    known, spelt = tuple(known), {}
    for name in weights:
        full = resolve(name, known)
        if full in spelt:
            raise GraphError(f"The similarity '{full}' is given two weights, as '{spelt[full]}' and '{name}'; drop one")
        spelt[full] = name
    return {full: float(weights[name]) for full, name in spelt.items()}


def combine(matrices: Mapping[str, np.ndarray], weights: Mapping[str, float], rescale: bool = True) -> np.ndarray:
    """The weighted mean of similarity matrices; weights are divided by their sum.

    Args:
        matrices: name to (T, T) similarity.
        weights: name or alias to weight.
        rescale: stretch each matrix first, so that its least pair is 0 and its greatest 1; see :func:`stretched`.
            Frozen features fill a narrow cone, so one similarity may spread over 0.3 and another over 0.01; as they
            are, the weights would mean little. ``False`` mixes the values as they are.

    Returns:
        (T, T) float64, symmetric, in [0, 1], 1 on the diagonal.

    Raises:
        GraphError: an unknown name, a similarity named twice, weights of which none is positive or one is negative,
            or a matrix that is not a similarity or of another size.
    """
    named = resolve_weights(weights, matrices)
    total, size = math.fsum(named.values()), None
    mean: np.ndarray | float = 0.0
    for name in sorted(named):  # a fixed order, so that rounding does not depend on how the weights were written
        matrix = check_similarity(matrices[name], size, name=f"similarity '{name}'")
        size = len(matrix)
        mean = mean + named[name] / total * (stretched(matrix) if rescale else matrix)
    mean = np.clip(mean, 0.0, 1.0)
    np.fill_diagonal(mean, 1.0)
    return mean


def stretched(matrix: np.ndarray) -> np.ndarray:
    """(s - min) / (max - min) over the pairs of different tasks, with 1 on the diagonal.

    A matrix whose pairs are all equal (always so with two tasks) has no spread to stretch and is returned as it is.
    The result depends on the set of tasks: a pair's value changes when tasks join or leave.

    Args:
        matrix: (T, T).
    """
    pairs = matrix[~np.eye(len(matrix), dtype=bool)]
    if len(pairs) == 0 or pairs.max() - pairs.min() < FLAT:
        return matrix.copy()
    out = (matrix - pairs.min()) / (pairs.max() - pairs.min())
    np.fill_diagonal(out, 1.0)
    return out
