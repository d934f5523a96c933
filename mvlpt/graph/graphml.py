"""GraphML, for Gephi and Cytoscape: every attribute becomes a scalar, which is all that the format knows."""

from __future__ import annotations

import json
import os
from typing import Any

import networkx as nx

from mvlpt.io.files import atomic_write


def write(graph: nx.Graph, path: str | os.PathLike[str]) -> None:
    """Writes a graph whole; each node also gets its name as ``label``, which the viewers show.

    Facts that are ``None`` are left out, lists and mappings become JSON text, and characters that XML forbids become
    spaces.

    Raises:
        RunFolderError: the file cannot be written.
    """
    plain = graph.__class__()
    for node, facts in graph.nodes(data=True):
        plain.add_node(node)
        plain.nodes[node].update({"label": node, **_scalars(facts)})
    for source, target, values in graph.edges(data=True):
        plain.add_edge(source, target)
        plain.edges[source, target].update(_scalars(values))
    with atomic_write(path, "wb") as handle:
        # numbers that are whole in one node and not in another would otherwise become two attributes of one name
        nx.write_graphml(plain, handle, infer_numeric_types=True)


def _scalars(values: dict[str, Any]) -> dict[str, Any]:
    return {name: _scalar(value) for name, value in values.items() if value is not None}


def _scalar(value: Any) -> str | int | float | bool:
    if isinstance(value, bool | int | float):
        return value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return "".join(c if c.isprintable() else " " for c in text)
