"""How similar two tasks are: similarities of embeddings, their weighted mean, and weights fitted to transfer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mvlpt.lazy import lazy_exports

if TYPE_CHECKING:
    from mvlpt.graph.similarity.derived import DERIVED, centred
    from mvlpt.graph.similarity.registry import SIMILARITIES, Similarity, register_similarity, similarity_matrices
    from mvlpt.graph.similarity.weight_fitting import FittedWeights, fit_weights, measured_pairs, spearman
    from mvlpt.graph.similarity.weighting import combine, parse_weights, resolve_weights

__all__ = [
    "DERIVED",
    "SIMILARITIES",
    "FittedWeights",
    "Similarity",
    "centred",
    "combine",
    "fit_weights",
    "measured_pairs",
    "parse_weights",
    "register_similarity",
    "resolve_weights",
    "similarity_matrices",
    "spearman",
]

__getattr__ = lazy_exports(
    __name__,
    {
        "DERIVED": "derived",
        "centred": "derived",
        "SIMILARITIES": "registry",
        "Similarity": "registry",
        "register_similarity": "registry",
        "similarity_matrices": "registry",
        "FittedWeights": "weight_fitting",
        "fit_weights": "weight_fitting",
        "measured_pairs": "weight_fitting",
        "spearman": "weight_fitting",
        "combine": "weighting",
        "parse_weights": "weighting",
        "resolve_weights": "weighting",
    },
)
