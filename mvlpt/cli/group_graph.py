"""Brings the task graph of a folder up to date: only what has changed since it was written is computed.

Shapes: T tasks.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mvlpt.cli.group_checks import read_gains
from mvlpt.cli.group_inputs import GraphInputs, affinity_config, describe, prompt_losses_of
from mvlpt.cli.group_options import GroupOptions
from mvlpt.config import Config
from mvlpt.graph import SIMILARITIES, TaskEmbedding, TaskGraph, similarity_matrices
from mvlpt.graph.affinity.first_order import gradient_affinity
from mvlpt.graph.affinity.lookahead import lookahead_affinity
from mvlpt.graph.embeddings.cache import EmbeddingCache
from mvlpt.graph.embeddings.embed import embed_tasks

GRAPH_FILE, GRAPHML_FILE, EMBEDDINGS = "task_graph.json", "task_graph.graphml", "embeddings"
RECIPE = 1  # of similarities and affinities; another one makes what a graph holds stale
Bars = Callable[[str], AbstractContextManager[Callable[[int, int], None]]]


@dataclass
class Updated:
    """A task graph that is up to date.

    Attributes:
        graph: of the configuration's tasks, in their order.
        affinity: the name of the affinity that was asked for, ``""`` for none.
        computed, kept: what was done, and what was there already, as words for people.
    """

    graph: TaskGraph
    affinity: str = ""
    computed: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)

    def note(self, what: str, computed: bool, happened: bool | int) -> None:
        """Remembers a word for people, if it is true."""
        if happened:
            (self.computed if computed else self.kept).append(what)


def known_graph(folder: Path) -> TaskGraph | None:
    """The graph in a folder.

    Raises:
        GraphError: the file there is no graph of this version.
    """
    path = folder / GRAPH_FILE
    return TaskGraph.load(path) if path.exists() else None


def update_graph(inputs: GraphInputs, options: GroupOptions, folder: Path, bars: Bars) -> Updated:
    """Embeds the tasks, compares them, and takes the affinity that is asked for; writes the graph where it changed.

    Raises:
        GraphError: the folder holds a graph of another version, or a task cannot be embedded.
    """
    known = known_graph(folder)
    cfg = inputs.cfg
    with bars("embedding images") as progress:
        embedded = embed_tasks(
            inputs.backbone,
            inputs.sources,
            cache=EmbeddingCache(folder / EMBEDDINGS),
            batch_size=cfg.DATALOADER.TEST.BATCH_SIZE,
            num_workers=cfg.DATALOADER.NUM_WORKERS,
            on_bad_image=cfg.DATASET.ON_BAD_IMAGE,
            progress=progress,
        )
    embeddings = embedded.embeddings
    tasks = [embedding.name for embedding in embeddings]
    fresh = _unchanged(known, embeddings)
    with bars("comparing tasks") as progress:
        similarities, pairs = _similarities(embeddings, known, fresh, progress)
    facts = describe(inputs)
    for embedding in embeddings:
        facts[embedding.name]["fingerprint"] = embedding.fingerprint
    same = known is not None and set(known.tasks) == set(tasks) == fresh
    affinities = known.subset(tasks).affinities if same else {}
    marks = {name: mark for name, mark in _marks(known).items() if name in affinities}
    updated = Updated(TaskGraph(tasks))
    new = len(embedded.computed)
    updated.note(f"{_count(new, 'task')} embedded", True, new)
    updated.note(_count(len(tasks) - new, "embedding"), False, len(tasks) - new)
    updated.note(f"{_count(pairs, 'pair')} of tasks compared", True, pairs)
    updated.note("all similarities", False, len(tasks) > 1 and not pairs)
    if options.affinity:
        name, matrix, mark = _affinity(inputs, options, embeddings, affinities, marks, bars)
        updated.affinity = name
        updated.note(f"affinity '{name}'", matrix is not None, True)
        if matrix is not None:
            affinities[name], marks[name] = matrix, mark
    settings = {
        "recipe": RECIPE,
        "backbone": cfg.MODEL.BACKBONE.NAME,
        "shots": cfg.DATASET.NUM_SHOTS,
        "seed": cfg.SEED,
        "affinities": marks,
    }
    updated.graph = TaskGraph(tasks, similarities, affinities, facts, settings)
    if known is None or not _equal(known, updated.graph):
        updated.graph.save(folder / GRAPH_FILE)
    return updated


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"


def _unchanged(known: TaskGraph | None, embeddings: Sequence[TaskEmbedding]) -> set[str]:
    """Tasks of which the known graph was computed from the same inputs by the same recipe."""
    if known is None or known.settings.get("recipe") != RECIPE:
        return set()
    marks = {task: known.attributes[task].get("fingerprint") for task in known.tasks}
    return {one.name for one in embeddings if marks.get(one.name) == one.fingerprint}


def _marks(known: TaskGraph | None) -> dict[str, str]:
    """What the affinities of a graph were computed from."""
    return dict(known.settings.get("affinities", {})) if known is not None else {}


def _similarities(
    embeddings: Sequence[TaskEmbedding],
    known: TaskGraph | None,
    fresh: set[str],
    progress: Callable[[int, int], None],
) -> tuple[dict[str, np.ndarray], int]:
    """All similarities, and the number of pairs that were compared; values of unchanged pairs are taken over."""
    if known is None or not fresh or set(known.similarities) != set(SIMILARITIES):
        count = len(embeddings) * (len(embeddings) - 1) // 2
        return similarity_matrices(embeddings, progress=progress), count
    tasks = [embedding.name for embedding in embeddings]
    old = known.subset([task for task in tasks if task in fresh])
    rows = [tasks.index(task) for task in old.tasks]
    matrices = {name: np.eye(len(tasks)) for name in SIMILARITIES}
    for name, matrix in old.similarities.items():
        matrices[name][np.ix_(rows, rows)] = matrix
    pairs = [(i, j) for i in range(len(tasks)) for j in range(i + 1, len(tasks)) if not {tasks[i], tasks[j]} <= fresh]
    for done, (i, j) in enumerate(pairs, start=1):
        for name, values in similarity_matrices([embeddings[i], embeddings[j]]).items():
            matrices[name][i, j] = matrices[name][j, i] = values[0, 1]
        progress(done, len(pairs))
    return matrices, len(pairs)


def _affinity(
    inputs: GraphInputs,
    options: GroupOptions,
    embeddings: Sequence[TaskEmbedding],
    known: dict[str, np.ndarray],
    marks: dict[str, str],
    bars: Bars,
) -> tuple[str, np.ndarray | None, str]:
    """Name, matrix (``None`` where the graph holds it already) and mark of the affinity that is asked for."""
    tasks = [embedding.name for embedding in embeddings]
    if options.affinity == "measured":
        matrix, trainer = read_gains(options.results, tasks, inputs.cfg.TRAINER.NAME)
        return f"measured.{trainer}" if trainer else "measured", matrix, ""
    cfg = affinity_config(inputs.cfg)
    name = f"{options.affinity}.{cfg.TRAINER.NAME}"
    mark = _affinity_mark(cfg, options, embeddings)
    if name in known and marks.get(name) == mark:
        return name, None, mark
    losses, optimizer = prompt_losses_of(cfg, inputs)
    measure = {"grad": gradient_affinity, "lookahead": lookahead_affinity}[options.affinity]
    with bars(f"affinities of {cfg.TRAINER.NAME}") as progress:
        matrix = measure(losses, lr=cfg.OPTIM.LR, steps=options.taken_steps, optimizer=optimizer, progress=progress)
    return name, matrix, mark


def _affinity_mark(cfg: Config, options: GroupOptions, embeddings: Sequence[TaskEmbedding]) -> str:
    """SHA-256 over everything an affinity depends on."""
    relevant = {key: str(value) for key, value in cfg.flat().items() if key.startswith(("TRAINER.", "OPTIM.", "SEED"))}
    inputs = sorted((embedding.name, embedding.fingerprint) for embedding in embeddings)
    decisive: list[Any] = [RECIPE, options.affinity, options.taken_steps, relevant, inputs]
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()


def _equal(a: TaskGraph, b: TaskGraph) -> bool:
    """Whether two graphs hold the same."""
    if (a.tasks, a.attributes, a.settings) != (b.tasks, b.attributes, b.settings):
        return False
    pairs = [(a.similarities, b.similarities), (a.affinities, b.affinities)]
    return all(
        left.keys() == right.keys() and all(np.array_equal(left[key], right[key], equal_nan=True) for key in left)
        for left, right in pairs
    )
