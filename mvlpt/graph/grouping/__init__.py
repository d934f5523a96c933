"""Which tasks should share a prompt: partitions of tasks by similarity or affinity."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mvlpt.lazy import lazy_exports

if TYPE_CHECKING:
    from mvlpt.graph.grouping.groups import Grouping
    from mvlpt.graph.grouping.groups_file import read_groups, write_groups
    from mvlpt.graph.grouping.objective import within_between_means
    from mvlpt.graph.grouping.partition import METHODS, check_grouping, group_tasks

__all__ = [
    "METHODS",
    "Grouping",
    "check_grouping",
    "group_tasks",
    "read_groups",
    "within_between_means",
    "write_groups",
]

__getattr__ = lazy_exports(
    __name__,
    {
        "Grouping": "groups",
        "read_groups": "groups_file",
        "write_groups": "groups_file",
        "within_between_means": "objective",
        "METHODS": "partition",
        "check_grouping": "partition",
        "group_tasks": "partition",
    },
)
