"""From tasks to their graph and the groups that should share a prompt; ``mvlpt group`` is a shell around it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mvlpt.lazy import lazy_exports

if TYPE_CHECKING:
    from mvlpt.experiment.grouping.data_choice import DataChoice
    from mvlpt.experiment.grouping.experiment_groups import group_experiment
    from mvlpt.experiment.grouping.graph import GraphUpdate, build_task_graph
    from mvlpt.experiment.grouping.groups import GroupingResult, find_groups, group_graph, regroup
    from mvlpt.experiment.grouping.groups_files import read_groups_of
    from mvlpt.experiment.grouping.option_fields import OptionField
    from mvlpt.experiment.grouping.options import (
        CHOOSE,
        GROUPING_OPTIONS,
        GROUPS,
        MATRIX,
        OUTPUT,
        UNCHOSEN,
        GroupingOptions,
    )
    from mvlpt.experiment.grouping.progress import ProgressBars, no_progress
    from mvlpt.experiment.grouping.prompt_losses import affinity_config, task_losses
    from mvlpt.experiment.grouping.requests import GroupingRequest, experiment_requests, grouping_requests
    from mvlpt.experiment.grouping.selection import MeasuredSelection, choose_measured
    from mvlpt.experiment.grouping.sources import task_sources
    from mvlpt.experiment.grouping.stage import GROUPS_FOLDER, ensure_groups, preview_groups

__all__ = [
    "CHOOSE",
    "GROUPING_OPTIONS",
    "GROUPS",
    "GROUPS_FOLDER",
    "MATRIX",
    "OUTPUT",
    "UNCHOSEN",
    "DataChoice",
    "GraphUpdate",
    "GroupingOptions",
    "GroupingRequest",
    "GroupingResult",
    "MeasuredSelection",
    "OptionField",
    "ProgressBars",
    "affinity_config",
    "build_task_graph",
    "choose_measured",
    "ensure_groups",
    "experiment_requests",
    "find_groups",
    "group_experiment",
    "group_graph",
    "grouping_requests",
    "no_progress",
    "preview_groups",
    "read_groups_of",
    "regroup",
    "task_losses",
    "task_sources",
]

__getattr__ = lazy_exports(
    __name__,
    {
        "CHOOSE": "options",
        "GROUPING_OPTIONS": "options",
        "GROUPS": "options",
        "GROUPS_FOLDER": "stage",
        "MATRIX": "options",
        "OUTPUT": "options",
        "UNCHOSEN": "options",
        "DataChoice": "data_choice",
        "GraphUpdate": "graph",
        "GroupingOptions": "options",
        "GroupingRequest": "requests",
        "GroupingResult": "groups",
        "MeasuredSelection": "selection",
        "OptionField": "option_fields",
        "ProgressBars": "progress",
        "affinity_config": "prompt_losses",
        "build_task_graph": "graph",
        "choose_measured": "selection",
        "ensure_groups": "stage",
        "experiment_requests": "requests",
        "find_groups": "groups",
        "group_experiment": "experiment_groups",
        "group_graph": "groups",
        "grouping_requests": "requests",
        "no_progress": "progress",
        "preview_groups": "stage",
        "read_groups_of": "groups_files",
        "regroup": "groups",
        "task_losses": "prompt_losses",
        "task_sources": "sources",
    },
)
