"""The task graph: what tasks have in common, and which of them should share a prompt.

Pure functions of arrays; no configuration, model or data set is needed for any of it. What groups tasks is imported
when first used, since its random streams come from a module that loads torch, which the graph itself does not need.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from mvlpt.graph.combine import SIMILARITIES, combine, parse_weights, similarity_matrices
from mvlpt.graph.embedding import TaskEmbedding
from mvlpt.graph.fit_weights import FittedWeights, fit_weights
from mvlpt.graph.task_graph import TaskGraph

if TYPE_CHECKING:
    from mvlpt.graph.grouping import group_tasks
    from mvlpt.graph.groups import Grouping
    from mvlpt.graph.groups_file import read_groups, write_groups
    from mvlpt.graph.score_table import ScoreTable, predict_from_pairs, read_score_table
    from mvlpt.graph.selection import Selection, select_groups

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

_HOMES = {
    "Grouping": "groups",
    "ScoreTable": "score_table",
    "Selection": "selection",
    "group_tasks": "grouping",
    "predict_from_pairs": "score_table",
    "read_groups": "groups_file",
    "read_score_table": "score_table",
    "select_groups": "selection",
    "write_groups": "groups_file",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
