"""The task graph of a folder, brought up to date: only what has changed since it was written is computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mvlpt.errors import GraphError, RunFolderError
from mvlpt.experiment.grouping.affinities import RECIPE, updated_affinity
from mvlpt.experiment.grouping.checks import checked_sources
from mvlpt.experiment.grouping.options import GroupingOptions
from mvlpt.experiment.grouping.progress import ProgressBars, no_progress
from mvlpt.experiment.grouping.requests import GroupingRequest
from mvlpt.experiment.grouping.similarities import updated_similarities
from mvlpt.experiment.grouping.sources import GraphInputs, graph_inputs
from mvlpt.graph import TaskEmbedding, TaskGraph
from mvlpt.graph.embeddings import EmbeddingCache, embed_tasks
from mvlpt.io import counted

GRAPH_FILE, EMBEDDINGS = "task_graph.json", "embeddings"


@dataclass
class GraphUpdate:
    """A task graph that is up to date.

    Attributes:
        graph: of the configuration's tasks, in their order.
        affinity: the name of the affinity that was asked for, ``""`` for none.
        computed: descriptions of what was computed.
        kept: descriptions of what the folder held already.
    """

    graph: TaskGraph
    affinity: str = ""
    computed: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)


def build_task_graph(request: GroupingRequest, folder: str | Path, progress: ProgressBars = no_progress) -> GraphUpdate:
    """Embeds the tasks, compares them, and computes the affinity that is asked for.

    Writes ``task_graph.json`` and the embeddings; what the folder holds already is not computed again.

    Args:
        request: tasks and options; see :func:`mvlpt.experiment.grouping.grouping_requests`.
        folder: of the files.
        progress: makes a progress bar.

    Raises:
        MvlptError: tasks or options cannot be used, or the folder holds a graph of another version.
    """
    sources = checked_sources(request.cfg, request.options)
    folder = Path(folder)
    make_folder(folder)
    return _updated(graph_inputs(request.cfg, sources), request.options, folder, progress)


def make_folder(folder: Path) -> None:
    """Makes the output folder.

    Raises:
        RunFolderError: it cannot be made, or is a file.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunFolderError(f"Cannot write to {folder}: {error.strerror}; choose another folder") from error


def _updated(inputs: GraphInputs, options: GroupingOptions, folder: Path, progress: ProgressBars) -> GraphUpdate:
    """Computes what is new, and writes the graph where it changed."""
    earlier = _earlier_graph(folder / GRAPH_FILE)
    update = GraphUpdate(TaskGraph([source.name for source in inputs.sources]))
    embeddings = _embeddings(inputs, folder, progress, update)
    tasks = [embedding.name for embedding in embeddings]
    unchanged = _unchanged(earlier, embeddings)
    with progress("comparing tasks") as moved:
        similarities, pairs = updated_similarities(embeddings, earlier, unchanged, moved)
    _note(update.computed, pairs, f"{counted(pairs, 'pair')} of tasks compared")
    _note(update.kept, len(tasks) > 1 and not pairs, "all similarities")
    same = earlier is not None and set(earlier.tasks) == set(tasks) == unchanged
    affinities = earlier.subset(tasks).affinities if same else {}
    fingerprints = {key: value for key, value in _affinity_fingerprints(earlier).items() if key in affinities}
    if options.affinity:
        affinity = updated_affinity(inputs, options, embeddings, fingerprints, progress)
        update.affinity = affinity.name
        if affinity.matrix is not None:
            affinities[affinity.name], fingerprints[affinity.name] = affinity.matrix, affinity.fingerprint
        _note(update.kept if affinity.matrix is None else update.computed, True, f"affinity '{affinity.name}'")
    update.graph = TaskGraph(
        tasks, similarities, affinities, _attributes(inputs, embeddings), _settings(inputs, fingerprints)
    )
    if earlier is None or not _equal(earlier, update.graph):
        update.graph.save(folder / GRAPH_FILE)
    return update


def _earlier_graph(file: Path) -> TaskGraph | None:
    """The graph that a folder holds; ``None`` where there is none.

    Raises:
        GraphError: it cannot be used.
    """
    if not file.exists():
        return None
    try:
        return TaskGraph.load(file)
    except GraphError as error:
        raise GraphError(f"{error}; delete the file, and run the same command again") from error


def _embeddings(
    inputs: GraphInputs, folder: Path, progress: ProgressBars, update: GraphUpdate
) -> tuple[TaskEmbedding, ...]:
    """The embedding of each task, from the folder where its inputs have not changed."""
    cfg = inputs.cfg
    with progress("embedding images") as moved:
        embedded = embed_tasks(
            inputs.backbone,
            inputs.sources,
            cache=EmbeddingCache(folder / EMBEDDINGS),
            batch_size=cfg.DATALOADER.TEST.BATCH_SIZE,
            num_workers=cfg.DATALOADER.NUM_WORKERS,
            on_bad_image=cfg.DATASET.ON_BAD_IMAGE,
            progress=moved,
        )
    new = len(embedded.computed)
    kept = len(embedded.embeddings) - new
    _note(update.computed, new, f"{counted(new, 'task')} embedded")
    _note(update.kept, kept, counted(kept, "embedding"))
    return embedded.embeddings


def _note(notes: list[str], happened: bool | int, text: str) -> None:
    if happened:
        notes.append(text)


def _unchanged(earlier: TaskGraph | None, embeddings: Sequence[TaskEmbedding]) -> set[str]:
    """Tasks of which the earlier graph was computed from the same inputs in the same way."""
    if earlier is None or earlier.settings.get("recipe") != RECIPE:
        return set()
    known = {task: attributes.get("fingerprint") for task, attributes in earlier.attributes.items()}
    return {one.name for one in embeddings if known.get(one.name) == one.fingerprint}


def _affinity_fingerprints(earlier: TaskGraph | None) -> dict[str, str]:
    """For each affinity of a graph what it was computed from."""
    return dict(earlier.settings.get("affinities", {})) if earlier is not None else {}


def _attributes(inputs: GraphInputs, embeddings: Sequence[TaskEmbedding]) -> dict[str, dict[str, Any]]:
    """Attributes of each task in the graph; its cost is the number of images in one pass."""
    return {
        source.name: {
            "classes": len(source.class_names),
            "images": len(source.images.data_source),
            "metric": source.metric,
            "cost": len(source.images.data_source),
            "fingerprint": embedding.fingerprint,
            "zero_shot": round(embedding.zero_shot, 6),
        }
        for source, embedding in zip(inputs.sources, embeddings, strict=True)
    }


def _settings(inputs: GraphInputs, fingerprints: dict[str, str]) -> dict[str, Any]:
    cfg = inputs.cfg
    return {
        "recipe": RECIPE,
        "backbone": cfg.MODEL.BACKBONE.NAME,
        "shots": cfg.DATASET.NUM_SHOTS,
        "seed": cfg.SEED,
        "affinities": fingerprints,
    }


def _equal(a: TaskGraph, b: TaskGraph) -> bool:
    """Whether two graphs hold the same."""
    if (a.tasks, a.attributes, a.settings) != (b.tasks, b.attributes, b.settings):
        return False
    pairs = [(a.similarities, b.similarities), (a.affinities, b.affinities)]
    return all(
        left.keys() == right.keys() and all(np.array_equal(left[key], right[key], equal_nan=True) for key in left)
        for left, right in pairs
    )
