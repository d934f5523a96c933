"""``task_graph.json``: networkx's node-link format, with the affinities under an additional key.

``networkx.node_link_graph(content, edges="edges")`` returns the similarity graph. The directed edges are listed
under ``affinities`` in the same format; a pair or value that is missing is unknown.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from mvlpt.errors import GraphError, suggest
from mvlpt.graph.checks import check_tasks
from mvlpt.io import short_repr

FORMAT = "mvlpt-task-graph"
VERSION = 1
MAX_VALUES = 2**27  # 1 GiB of matrices


def encode(
    tasks: Sequence[str],
    similarities: Mapping[str, np.ndarray],
    affinities: Mapping[str, np.ndarray],
    attributes: Mapping[str, Mapping[str, Any]],
    settings: Mapping[str, Any],
) -> Iterator[str]:
    """The file in pieces: JSON with a line for each task and each edge; arguments as :class:`mvlpt.graph.TaskGraph`."""
    head = {
        "format": FORMAT,
        "version": VERSION,
        "similarities": list(similarities),
        "affinities": list(affinities),
        "settings": settings,
    }
    to_json = json.JSONEncoder(ensure_ascii=False).encode
    yield f'{{\n  "directed": false,\n  "multigraph": false,\n  "graph": {to_json(head)}'
    for key, items in (
        ("nodes", ({"id": task, **values} for task, values in attributes.items())),
        ("edges", _edges(tasks, similarities)),
        ("affinities", _arrows(tasks, affinities)),
    ):
        yield f',\n  "{key}": ['
        for position, item in enumerate(items):
            yield f"{',' if position else ''}\n    {to_json(item)}"
        yield "\n  ]"
    yield "\n}\n"


def _edges(tasks: Sequence[str], matrices: Mapping[str, np.ndarray]) -> Iterator[dict[str, Any]]:
    """Every pair of tasks once, with all similarities."""
    if matrices:
        values = np.stack(list(matrices.values()), axis=-1)
        for i, j in itertools.combinations(range(len(tasks)), 2):
            yield {"source": tasks[i], "target": tasks[j], **dict(zip(matrices, values[i, j].tolist(), strict=True))}


def _arrows(tasks: Sequence[str], matrices: Mapping[str, np.ndarray]) -> Iterator[dict[str, Any]]:
    """Every ordered pair with a known value, and on the diagonal every value other than 0."""
    if matrices:
        values = np.stack(list(matrices.values()), axis=-1)
        known = ~np.isnan(values) & ((values != 0) | ~np.eye(len(tasks), dtype=bool)[..., None])
        for i, j in np.argwhere(known.any(axis=-1)).tolist():
            pairs = zip(matrices, values[i, j].tolist(), known[i, j].tolist(), strict=True)
            yield {
                "source": tasks[i],
                "target": tasks[j],
                **{name: value for name, value, is_known in pairs if is_known},
            }


def decode(content: Any) -> dict[str, Any]:
    """The arguments of :class:`mvlpt.graph.TaskGraph`.

    Raises:
        GraphError: see :meth:`mvlpt.graph.TaskGraph.load`; the message does not name the file.
    """
    head = content.get("graph") if isinstance(content, dict) else None
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise GraphError(f"not a task graph, since graph.format is not '{FORMAT}'; make one with mvlpt group")
    if head.get("version") != VERSION:
        raise GraphError(
            f"a task graph of version {short_repr(head.get('version'), 60)}, and this program reads version {VERSION};"
            " make it again with mvlpt group"
        )
    nodes = content.get("nodes")
    if not isinstance(nodes, list) or not all(isinstance(node, dict) and "id" in node for node in nodes):
        raise GraphError("'nodes' must be a list of tasks, each with an 'id'")
    tasks = check_tasks(node["id"] for node in nodes)
    names = {key: _names(head, key) for key in ("similarities", "affinities")}
    if len(tasks) ** 2 * sum(map(len, names.values())) > MAX_VALUES:
        raise GraphError(f"{len(tasks)} tasks with {sum(map(len, names.values()))} measures need more than 1 GiB")
    settings = head.get("settings", {})
    if not isinstance(settings, dict):
        raise GraphError("'graph.settings' must be a mapping")
    return {
        "tasks": tasks,
        "similarities": _matrices(content, "edges", tasks, names["similarities"], directed=False),
        "affinities": _matrices(content, "affinities", tasks, names["affinities"], directed=True),
        "attributes": {node["id"]: {key: value for key, value in node.items() if key != "id"} for node in nodes},
        "settings": settings,
    }


def _names(head: Mapping[str, Any], key: str) -> list[str]:
    names = head.get(key, [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names) or len({*names}) < len(names):
        raise GraphError(f"'graph.{key}' must be a list of different names")
    return names


def _matrices(
    content: Mapping[str, Any], key: str, tasks: Sequence[str], names: Sequence[str], *, directed: bool
) -> dict[str, np.ndarray]:
    """Name to (T, T), from a list of edges; without ``directed``, every pair must have every value."""
    edges = content.get(key, [])
    if not isinstance(edges, list):
        raise GraphError(f"'{key}' must be a list of edges")
    index = {task: row for row, task in enumerate(tasks)}
    matrices = {name: np.full((len(tasks),) * 2, np.nan) for name in names}
    seen: set[tuple[int, int]] = set()
    for edge in edges:
        i, j, values = _ends(edge, key, index, directed)
        shown = f"'{tasks[i]}' {'->' if directed else '-'} '{tasks[j]}' in '{key}'"
        if (i, j) in seen:
            raise GraphError(f"the edge {shown} is repeated")
        seen.add((i, j))
        for name, value in values.items():
            if name not in matrices:
                raise GraphError(
                    f"the edge {shown} has the value '{name}', which the file does not list{suggest(name, names)}"
                )
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise GraphError(f"the edge {shown} has {short_repr(value, 60)} for '{name}'; it must be a number")
            matrices[name][i, j] = value
            if not directed:
                matrices[name][j, i] = value
        if not directed and (missing := sorted(matrices.keys() - values.keys())):
            raise GraphError(f"the edge {shown} lacks '{missing[0]}'")
    if names and not directed:
        for i, j in itertools.combinations(range(len(tasks)), 2):
            if (i, j) not in seen:
                raise GraphError(f"the edge '{tasks[i]}' - '{tasks[j]}' is missing; every pair of tasks needs one")
    return matrices


def _ends(edge: Any, key: str, index: Mapping[str, int], directed: bool) -> tuple[int, int, dict[str, Any]]:
    """The indices of both tasks, the smaller first unless ``directed``, and the values."""
    if not isinstance(edge, dict) or not isinstance(edge.get("source"), str) or not isinstance(edge.get("target"), str):
        raise GraphError(f"an edge in '{key}' has no 'source' or no 'target': {str(edge)[:80]}")
    for end in (edge["source"], edge["target"]):
        if end not in index:
            raise GraphError(f"an edge in '{key}' names the unknown task '{end}'{suggest(end, index)}")
    i, j = index[edge["source"]], index[edge["target"]]
    if not directed and i == j:
        raise GraphError(f"an edge in '{key}' joins '{edge['source']}' to itself; a similarity needs two tasks")
    values = {name: value for name, value in edge.items() if name not in ("source", "target")}
    return (i, j, values) if directed or i < j else (j, i, values)
