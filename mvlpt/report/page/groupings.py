"""The groups of an experiment, with the matrices behind them, and the choices that led to them.

Shapes: T tasks.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mvlpt.errors import GraphError
from mvlpt.experiment.grouping import GROUPS_FOLDER
from mvlpt.graph import Grouping, TaskGraph, fill_one_sided, read_groups
from mvlpt.graph.choice import read_choice

GRAPH_FILE = "task_graph.json"
DEFAULTS = ("visual.centred", "visual=0.5,label=0.5")  # similarities, the one that groups are made by at first


@dataclass(frozen=True)
class GroupingView:
    """Groups and what is drawn of them.

    Attributes:
        name: of the groups file, such as ``groups-MVLPT-VPT``.
        grouping: the groups.
        groups: each group's name and the tasks that it serves; every task once.
        tasks: names of the rows of the matrix.
        matrix: (T, T) what was grouped, or else a similarity; ``None`` where the graph has none of these tasks.
        label: what the matrix is.
        directed: whether it is an affinity.
        classes: number of classes of each task, where known.
    """

    name: str
    grouping: Grouping
    groups: Mapping[str, tuple[str, ...]]
    tasks: tuple[str, ...]
    matrix: np.ndarray | None
    label: str
    directed: bool
    classes: Mapping[str, int]


def folders(root: Path) -> list[Path]:
    """Where a folder keeps its groups."""
    return [folder for folder in (root / GROUPS_FOLDER, root) if folder.is_dir()]


def read_groupings(root: Path) -> list[Callable[[], GroupingView | None]]:
    """A reader of each groups file."""
    files = [file for folder in folders(root) for file in sorted(folder.glob("groups*.yaml"))]
    return [functools.partial(_read_grouping, file) for file in files]


def read_choices(root: Path) -> list[Callable[[], tuple[str, Any]]]:
    """A reader of each choice file: its name and content."""
    files = [file for folder in folders(root) for file in sorted(folder.glob("choice*.json"))]
    return [functools.partial(lambda file: (file.stem, read_choice(file)), file) for file in files]


def _read_grouping(file: Path) -> GroupingView | None:
    grouping = read_groups(file)
    serving = {task: grouping.group_of(task) for task in grouping.tasks}
    groups = {name: tuple(sorted(task for task in serving if serving[task] == name)) for name in grouping.names}
    groups = {name: members for name, members in groups.items() if members}
    matrix, label, directed, classes = None, "", False, {}
    tasks = tuple(sorted(serving))
    graph_file = file.parent / GRAPH_FILE
    if graph_file.exists():
        graph = TaskGraph.load(graph_file)
        if set(tasks) <= set(graph.tasks):
            graph = graph.subset(tasks)
            tasks = graph.tasks
            matrix, label, directed = _matrix(graph, grouping.settings)
            classes = {task: known["classes"] for task, known in graph.attributes.items() if "classes" in known}
    return GroupingView(file.stem, grouping, groups, tasks, matrix, label, directed, classes)


def _matrix(graph: TaskGraph, settings: Mapping[str, Any]) -> tuple[np.ndarray | None, str, bool]:
    """What the groups follow from, by their file; else the default similarity, or any other."""
    affinity = settings.get("affinity")
    if isinstance(affinity, str) and affinity in graph.affinities:
        return fill_one_sided(graph.matrix(affinity), graph.tasks), affinity, settings.get("kind") != "similarity"
    for label in (settings.get("similarity"), *DEFAULTS, *graph.similarities):
        if isinstance(label, str):
            try:
                return graph.combined(label), label, False
            except GraphError:  # the graph lacks one of its parts
                continue
    return None, "", False
