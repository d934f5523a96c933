"""The task graph: what tasks have in common, and which of them should share a prompt.

Pure functions of arrays; no configuration, model or data set is needed for what is exported here. The names are
imported when they are first used, so grouping a matrix does not load torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mvlpt.lazy import lazy_exports

if TYPE_CHECKING:
    from mvlpt.graph.affinity.measured import fill_one_sided, measured_gains
    from mvlpt.graph.embeddings.embedding import TaskEmbedding
    from mvlpt.graph.grouping.groups import Grouping
    from mvlpt.graph.grouping.groups_file import read_groups, write_groups
    from mvlpt.graph.grouping.partition import check_grouping, group_tasks
    from mvlpt.graph.score_table import ScoreTable, predict_from_pairs, read_score_table
    from mvlpt.graph.selection import Selection, select_groups
    from mvlpt.graph.similarity.registry import SIMILARITIES, register_similarity, similarity_matrices
    from mvlpt.graph.similarity.weight_fitting import FittedWeights, fit_weights
    from mvlpt.graph.similarity.weighting import combine, parse_weights
    from mvlpt.graph.task_graph import TaskGraph

__all__ = [
    "SIMILARITIES",
    "FittedWeights",
    "Grouping",
    "ScoreTable",
    "Selection",
    "TaskEmbedding",
    "TaskGraph",
    "check_grouping",
    "combine",
    "fill_one_sided",
    "fit_weights",
    "group_tasks",
    "measured_gains",
    "parse_weights",
    "predict_from_pairs",
    "read_groups",
    "read_score_table",
    "register_similarity",
    "select_groups",
    "similarity_matrices",
    "write_groups",
]

__getattr__ = lazy_exports(
    __name__,
    {
        "fill_one_sided": "affinity.measured",
        "measured_gains": "affinity.measured",
        "TaskEmbedding": "embeddings.embedding",
        "Grouping": "grouping.groups",
        "read_groups": "grouping.groups_file",
        "write_groups": "grouping.groups_file",
        "check_grouping": "grouping.partition",
        "group_tasks": "grouping.partition",
        "ScoreTable": "score_table",
        "predict_from_pairs": "score_table",
        "read_score_table": "score_table",
        "Selection": "selection",
        "select_groups": "selection",
        "SIMILARITIES": "similarity.registry",
        "register_similarity": "similarity.registry",
        "similarity_matrices": "similarity.registry",
        "FittedWeights": "similarity.weight_fitting",
        "fit_weights": "similarity.weight_fitting",
        "combine": "similarity.weighting",
        "parse_weights": "similarity.weighting",
        "TaskGraph": "task_graph",
    },
)
