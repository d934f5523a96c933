"""The task graph: tasks, how similar they are, and how much they help each other.

Shapes: T tasks; every matrix is (T, T) float64 in the order of the tasks.
"""

from __future__ import annotations

import copy
import math
import os
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np

from mvlpt.errors import GraphError, suggest
from mvlpt.graph import graph_json, graphml
from mvlpt.graph.checks import check_matrix, check_similarity, check_tasks, index_of
from mvlpt.graph.similarity.derived import derived_names, matrix_of
from mvlpt.graph.similarity.registry import ALIASES
from mvlpt.graph.similarity.weighting import combine, parse_weights
from mvlpt.io import atomic_write, read_json, short_repr

MAX_BYTES = 2**32  # of task_graph.json
RESERVED = ("id", "source", "target", "key")  # keys of the node-link format itself


class TaskGraph:
    """Tasks with their similarities (symmetric, in [0, 1]) and affinities (directed); immutable.

    Args:
        tasks: T names.
        similarities: name to matrix, such as :func:`mvlpt.graph.similarity_matrices` returns; the diagonal becomes 1.
        affinities: name to matrix, ``[i, j]`` how much training on i helps j; NaN where unknown.
        attributes: task to its node attributes: classes and images (whole numbers), cost and zero_shot (numbers),
            metric and fingerprint (strings), or anything else that JSON can hold.
        settings: what the matrices were computed with; anything that JSON can hold.
        facts: the former name of ``attributes``, deprecated.

    Raises:
        GraphError: names are missing, unprintable or repeated, a matrix is invalid, or attributes belong to an unknown
            task, have another type, or cannot be written as JSON.
    """

    def __init__(
        self,
        tasks: Iterable[str],
        similarities: Mapping[str, Any] | None = None,
        affinities: Mapping[str, Any] | None = None,
        attributes: Mapping[str, Mapping[str, Any]] | None = None,
        settings: Mapping[str, Any] | None = None,
        *,
        facts: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        if facts is not None:
            _warn_facts()
            attributes = {**(attributes or {}), **facts}
        self._tasks = check_tasks(tasks)
        self._similarities = {
            name: _frozen(check_similarity(matrix, self._tasks, name=f"similarity '{name}'"))
            for name, matrix in (similarities or {}).items()
        }
        self._affinities = {}
        for name, matrix in (affinities or {}).items():
            array = check_matrix(matrix, self._tasks, name=f"affinity '{name}'", missing=True)
            if len(self._tasks) > 1 and np.isnan(array[~np.eye(len(array), dtype=bool)]).all():
                raise GraphError(f"The affinity '{name}' has no value for any pair of tasks; leave it out")
            self._affinities[name] = _frozen(array)
        for name in (*self._similarities, *self._affinities):
            if not isinstance(name, str) or not name.strip() or not name.isprintable() or name in RESERVED:
                raise GraphError(f"A similarity or affinity cannot be named {name!r}; choose another name")
        if shared := sorted(self._similarities.keys() & self._affinities.keys()):
            raise GraphError(f"'{shared[0]}' is the name of a similarity and of an affinity; rename one")
        attributes = attributes or {}
        index_of(self._tasks, attributes)
        self._attributes = {
            task: _to_json(attributes.get(task, {}), f"the attributes of '{task}'") for task in self._tasks
        }
        for task, values in self._attributes.items():
            _check_attributes(task, values)
        self._settings = _to_json(settings or {}, "the settings")

    @property
    def tasks(self) -> tuple[str, ...]:
        """The T names, in the order of the matrices."""
        return self._tasks

    @property
    def similarities(self) -> dict[str, np.ndarray]:
        """Name to matrix, read-only."""
        return dict(self._similarities)

    @property
    def affinities(self) -> dict[str, np.ndarray]:
        """Name to matrix, read-only; NaN where a pair is unknown; the diagonal has no meaning."""
        return dict(self._affinities)

    @property
    def attributes(self) -> dict[str, dict[str, Any]]:
        """Each task's node attributes, as a copy."""
        return copy.deepcopy(self._attributes)

    @property
    def facts(self) -> dict[str, dict[str, Any]]:
        """The former name of :attr:`attributes`, deprecated."""
        _warn_facts()
        return self.attributes

    @property
    def settings(self) -> dict[str, Any]:
        """What the matrices were computed with, as a copy."""
        return copy.deepcopy(self._settings)

    def __len__(self) -> int:
        return len(self._tasks)

    def __repr__(self) -> str:
        names = ", ".join((*self._similarities, *self._affinities)) or "no matrix"
        return f"TaskGraph({len(self)} tasks; {names})"

    def matrix(self, name: str) -> np.ndarray:
        """One similarity or affinity, read-only; ``visual`` and ``label`` are short for :data:`ALIASES`.

        A similarity of :data:`~mvlpt.graph.similarity.DERIVED` is computed from the one that it follows from.

        Raises:
            GraphError: no matrix has that name; the nearest is suggested.
        """
        known = {**self._similarities, **self._affinities}
        found = name if name in known else ALIASES.get(name, name)
        if found in derived_names(self._similarities):
            return _frozen(matrix_of(found, self._similarities))
        if found not in known:
            raise GraphError(f"The task graph has no similarity or affinity '{name}'{suggest(str(name), known)}")
        return known[found]

    def combined(self, weights: Mapping[str, float] | str, rescale: bool = True) -> np.ndarray:
        """The weighted mean of similarities; see :func:`mvlpt.graph.combine`.

        Args:
            weights: name to weight, or a string such as ``visual=0.5,label=0.5``.
            rescale: whether each similarity is rescaled to [0, 1] first.

        Raises:
            GraphError: the weights cannot be used; see :func:`mvlpt.graph.combine`.
        """
        return combine(self._similarities, parse_weights(weights) if isinstance(weights, str) else weights, rescale)

    def subset(self, tasks: Iterable[str]) -> TaskGraph:
        """The graph of some tasks, in the order given.

        Raises:
            GraphError: no task, a repeated task, or an unknown one.
        """
        tasks = check_tasks(tasks)
        rows = np.ix_(*[index_of(self._tasks, tasks)] * 2)
        return TaskGraph(
            tasks,
            {name: matrix[rows] for name, matrix in self._similarities.items()},
            {
                name: matrix[rows]
                for name, matrix in self._affinities.items()
                if len(tasks) == 1 or not np.isnan(matrix[rows][~np.eye(len(tasks), dtype=bool)]).all()
            },
            {task: self._attributes[task] for task in tasks},
            self._settings,
        )

    def similarity_graph(self) -> nx.Graph:
        """A node for each task with its attributes; an edge for each pair with every similarity by name."""
        graph = self._nodes(nx.Graph())
        if self._similarities:
            for i, j in zip(*np.triu_indices(len(self), 1), strict=True):
                values = {name: float(matrix[i, j]) for name, matrix in self._similarities.items()}
                graph.add_edge(self._tasks[i], self._tasks[j], **values)
        return graph

    def affinity_graph(self) -> nx.DiGraph:
        """A node for each task with its attributes; an edge i -> j with how much training on i helps j, where known."""
        graph = self._nodes(nx.DiGraph())
        for name, matrix in self._affinities.items():
            for i, j in np.argwhere(~np.isnan(matrix) & ~np.eye(len(self), dtype=bool)):
                graph.add_edge(self._tasks[i], self._tasks[j], **{name: float(matrix[i, j])})
        return graph

    def _nodes(self, graph: nx.Graph) -> nx.Graph:
        for task, values in self.attributes.items():
            graph.add_node(task)
            graph.nodes[task].update(values)  # an attribute may have the name of one of add_node's arguments
        return graph

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes ``task_graph.json``, which :meth:`load` reads back as an equal graph.

        Raises:
            RunFolderError: the file cannot be written.
        """
        with atomic_write(path) as handle:
            content = self._tasks, self._similarities, self._affinities, self._attributes, self._settings
            handle.writelines(graph_json.encode(*content))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> TaskGraph:
        """Reads what :meth:`save` wrote.

        Raises:
            GraphError: the file is missing, not JSON, not a task graph or of another version, or has more values than
                ``MVLPT_MAX_VALUES`` allows (some 800 tasks with nine similarities); or an edge is missing, repeated,
                names an unknown task or lacks a value.
        """
        remedy = "make it again with mvlpt group"
        missing = f"{path}: there is no such file; create one with mvlpt group"
        content = read_json(path, error=GraphError, largest=MAX_BYTES, missing=missing, remedy=remedy, constants=False)
        try:
            return cls(**graph_json.decode(content))
        except (GraphError, OverflowError) as error:
            raise GraphError(f"{path}: {error}") from None

    def save_graphml(
        self, path: str | os.PathLike[str], weights: Mapping[str, float] | str | None = None
    ) -> list[Path]:
        """Writes GraphML for Gephi, Cytoscape or networkx.

        The similarities go to ``path``. Affinities go to a second file, ``x.affinity.graphml`` beside ``x.graphml``,
        because a GraphML graph is either undirected or directed.

        Args:
            path: the file to write.
            weights: if given, every similarity edge also gets a ``weight``, the combination of its similarities.

        Returns:
            The files written.

        Raises:
            RunFolderError: a file cannot be written.
        """
        path = Path(path)
        graph = self.similarity_graph()
        if weights is not None:
            mean = self.combined(weights)
            for i, j in zip(*np.triu_indices(len(self), 1), strict=True):
                graph.edges[self._tasks[i], self._tasks[j]]["weight"] = float(mean[i, j])
        graphml.write(graph, path)
        if not self._affinities:
            return [path]
        affinity_path = path.with_name(f"{path.stem}.affinity{path.suffix}")
        graphml.write(self.affinity_graph(), affinity_path)
        return [path, affinity_path]


def _warn_facts() -> None:
    warnings.warn("TaskGraph.facts is now TaskGraph.attributes", DeprecationWarning, stacklevel=3)


def _frozen(array: np.ndarray) -> np.ndarray:
    array.setflags(write=False)
    return array


def _check_attributes(task: str, values: Any) -> None:
    """Checks the attributes that this package knows; others are kept as they are."""
    if not isinstance(values, dict) or "id" in values:
        raise GraphError(f"The attributes of '{task}' must be a mapping without the key 'id', not {values!r}")
    for key, value in values.items():
        number = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 2**62
        wanted = None
        if key in ("classes", "images") and not (number and isinstance(value, int)):
            wanted = "a whole number of at least 0"
        elif key in ("cost", "zero_shot") and not number:
            wanted = "a number of at least 0"
        elif key in ("metric", "fingerprint") and not isinstance(value, str):
            wanted = "a string"
        if wanted:
            raise GraphError(f"'{key}' of task '{task}' is {short_repr(value, 60)}, but must be {wanted}")


def _to_json(value: Any, where: str) -> Any:
    """The value as JSON returns it: lists for tuples, plain numbers for numpy's.

    Raises:
        GraphError: JSON cannot hold it.
    """
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise GraphError(f"A key in {where} is not a string, so it cannot be saved as JSON")
        return {key: _to_json(item, where) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_to_json(item, where) for item in value]
    if value is None or isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise GraphError(f"The value {value!r} in {where} cannot be saved as JSON; give strings, numbers or lists")
