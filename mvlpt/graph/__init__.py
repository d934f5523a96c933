"""The task graph: what tasks have in common, and which of them should share a prompt.

Pure functions of arrays; no configuration, model or data set is needed for what is named here.
"""

from mvlpt.graph.embeddings.embedding import TaskEmbedding
from mvlpt.graph.grouping.groups import Grouping
from mvlpt.graph.grouping.groups_file import read_groups, write_groups
from mvlpt.graph.grouping.partition import group_tasks
from mvlpt.graph.score_table import ScoreTable, predict_from_pairs, read_score_table
from mvlpt.graph.selection import Selection, select_groups
from mvlpt.graph.similarity.combine import SIMILARITIES, combine, parse_weights, similarity_matrices
from mvlpt.graph.similarity.fit_weights import FittedWeights, fit_weights
from mvlpt.graph.task_graph import TaskGraph

__all__ = [
    "SIMILARITIES",
    "FittedWeights",
    "Grouping",
    "ScoreTable",
    "Selection",
    "TaskEmbedding",
    "TaskGraph",
    "combine",
    "fit_weights",
    "group_tasks",
    "parse_weights",
    "predict_from_pairs",
    "read_groups",
    "read_score_table",
    "select_groups",
    "similarity_matrices",
    "write_groups",
]
