"""Groups of the tasks of a graph, and the files they are written to.

Shapes: T tasks.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mvlpt.config import is_path_like, task_names
from mvlpt.errors import GraphError, suggest
from mvlpt.experiment.grouping.gains import read_gains
from mvlpt.experiment.grouping.graph import GRAPH_FILE, GraphUpdate, build_task_graph, make_folder
from mvlpt.experiment.grouping.options import COSINES, GroupingOptions
from mvlpt.experiment.grouping.progress import ProgressBars, no_progress
from mvlpt.experiment.grouping.requests import GroupingRequest
from mvlpt.graph import FittedWeights, Grouping, TaskGraph, fill_one_sided, fit_weights, group_tasks, write_groups
from mvlpt.io import counted

GRAPHML_FILE = "task_graph.graphml"


@dataclass(frozen=True)
class GroupingResult:
    """One grouping and what it was made from.

    Attributes:
        grouping: the groups.
        graph: the task graph.
        matrix: (T, T) what was grouped, in the order of the graph's tasks.
        label: what the matrix is.
        directed: whether it is an affinity with a direction.
        options: that were asked for.
        suffix: of the names of files, where a folder holds several groupings.
        files: what was written.
        update: what was computed and what was kept; ``None`` where a graph was read.
        fitted: the weights that were fitted, if they were.
    """

    grouping: Grouping
    graph: TaskGraph
    matrix: np.ndarray
    label: str
    directed: bool
    options: GroupingOptions
    suffix: str = ""
    files: list[Path] = field(default_factory=list)
    update: GraphUpdate | None = None
    fitted: FittedWeights | None = None

    @property
    def title(self) -> str:
        """The result in a line, for tables and figures."""
        count = len(self.grouping.groups)
        return f"{len(self.graph.tasks)} tasks in {counted(count, 'group')} by {self.label}"


def find_groups(request: GroupingRequest, folder: str | Path, progress: ProgressBars = no_progress) -> GroupingResult:
    """Builds the task graph and picks the groups.

    Writes ``task_graph.json``, ``task_graph.graphml`` and ``groups.yaml``; what the folder holds already is not
    computed again.

    Args:
        request: tasks and options; see :func:`mvlpt.experiment.grouping.grouping_requests`.
        folder: of the files.
        progress: makes a progress bar; :func:`mvlpt.runtime.progress.counting` draws them on a terminal.

    Raises:
        MvlptError: tasks, options, constraints or files cannot be used.
    """
    cfg = request.cfg
    update = build_task_graph(request, folder, progress)
    result = group_graph(update.graph, request.options, update.affinity, cfg.TRAINER.NAME)
    settings = {"shots": cfg.DATASET.NUM_SHOTS, "seed": cfg.SEED, "backbone": cfg.MODEL.BACKBONE.NAME}
    named = zip(update.graph.tasks, task_names(cfg), strict=True)
    paths = {own: _absolute(name) for own, name in named if is_path_like(name)}
    settings |= {"paths": paths} if paths else {}  # where mvlpt train --groups finds them
    result = dataclasses.replace(result, suffix=request.suffix, update=update)
    return _written(result, Path(folder), settings)


def regroup(
    graph_file: str | Path, options: GroupingOptions, folder: str | Path, tasks: Sequence[str] = ()
) -> GroupingResult:
    """Groups a graph that was written before; no data is read.

    Args:
        graph_file: a ``task_graph.json``.
        options: what to group by, and how.
        folder: for the graph and the groups.
        tasks: only these; all by default.

    Raises:
        MvlptError: the graph lacks what the options ask for, or constraints or files cannot be used.
    """
    graph = TaskGraph.load(graph_file)
    graph = graph.subset(tasks) if tasks else graph
    affinity = ""
    if options.affinity == "measured":
        matrix, trainer = read_gains(options.results, graph.tasks, options.trainer)
        affinity = f"measured.{trainer}"
        affinities = {**graph.affinities, affinity: matrix}
        graph = TaskGraph(graph.tasks, graph.similarities, affinities, graph.attributes, graph.settings)
    elif options.affinity:
        affinity = _named_affinity(graph, options.affinity, options.trainer)
    result, folder = group_graph(graph, options, affinity, options.trainer), Path(folder)
    make_folder(folder)
    graph.save(folder / GRAPH_FILE)
    return _written(result, folder, {})


def group_graph(graph: TaskGraph, options: GroupingOptions, affinity: str = "", trainer: str = "") -> GroupingResult:
    """Groups the tasks of a graph; nothing is written.

    Args:
        graph: with the matrices that the options ask for.
        options: what to group by, and how.
        affinity: the name of the graph's affinity to group by, ``""`` for similarities.
        trainer: whose pair runs weights are fitted to.

    Raises:
        GraphError: a matrix is missing, or the constraints contradict.
    """
    fitted, directed = None, bool(affinity) and options.affinity not in COSINES
    if affinity:
        label = affinity
        matrix = fill_one_sided(graph.matrix(affinity), graph.tasks)
        if not directed:
            np.fill_diagonal(matrix, 1.0)
    elif options.fit:
        gains, _ = read_gains(options.fit, graph.tasks, trainer)
        fitted = fit_weights(graph.similarities, gains, graph.tasks)
        label = ",".join(f"{name}={weight:.3g}" for name, weight in fitted.weights.items() if weight)
        matrix = graph.combined(fitted.weights)
    else:
        label = options.similarity
        matrix = graph.combined(options.similarity, options.rescale)
    kind = "affinity" if directed else "similarity"
    classes = {task: known["classes"] for task, known in graph.attributes.items() if "classes" in known}
    grouping = group_tasks(
        matrix,
        graph.tasks,
        kind=kind,
        classes=classes if options.max_classes is not None else None,
        **options.constraints(),
    )
    grouping = dataclasses.replace(grouping, settings={**grouping.settings, "affinity" if affinity else kind: label})
    return GroupingResult(grouping, graph, matrix, label, directed, options, fitted=fitted)


def _named_affinity(graph: TaskGraph, kind: str, trainer: str) -> str:
    """The graph's affinity ``kind.trainer``, or the only one of that kind."""
    names = [name for name in graph.affinities if name == kind or name.startswith(f"{kind}.")]
    wanted = f"{kind}.{trainer}" if trainer else names[0] if len(names) == 1 else ""
    if wanted in names:
        return wanted
    if names:
        raise GraphError(f"The task graph has the affinities {', '.join(names)}; choose one with --trainer")
    raise GraphError(
        f"The task graph has no affinity '{kind}'{suggest(kind, graph.affinities)}; compute it from the data"
    )


def _absolute(path: str) -> str:
    return os.path.abspath(path) + "/" * path.endswith("/")


def _written(result: GroupingResult, folder: Path, settings: Mapping[str, Any]) -> GroupingResult:
    """The result with further settings, once groups and GraphML are written."""
    grouping = dataclasses.replace(result.grouping, settings={**result.grouping.settings, **settings})
    groups_file = folder / f"groups{result.suffix}.yaml"
    write_groups(grouping, groups_file)
    files = [groups_file, *result.graph.save_graphml(folder / GRAPHML_FILE)]
    return dataclasses.replace(result, grouping=grouping, files=files)
