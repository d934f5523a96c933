"""The task graph: what tasks have in common, and which of them should share a prompt.

Pure functions of arrays; no configuration, model or data set is needed for any of it.
"""

from __future__ import annotations

from mvlpt.graph.combine import SIMILARITIES, combine, parse_weights, similarity_matrices
from mvlpt.graph.embedding import TaskEmbedding
from mvlpt.graph.fit_weights import FittedWeights, fit_weights
from mvlpt.graph.task_graph import TaskGraph

__all__ = [
    "SIMILARITIES",
    "FittedWeights",
    "TaskEmbedding",
    "TaskGraph",
    "combine",
    "fit_weights",
    "parse_weights",
    "similarity_matrices",
]
