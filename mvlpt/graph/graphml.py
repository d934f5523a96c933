"""GraphML, for Gephi and Cytoscape: every attribute becomes a scalar, the only kind that the format allows."""

from __future__ import annotations

import os
from typing import Any

import networkx as nx

from mvlpt.io import atomic_write, json_text


def write(graph: nx.Graph, path: str | os.PathLike[str]) -> None:
    """Writes a graph; each node also gets its name as ``label``, which the viewers show.

    Attributes that are ``None`` are omitted, lists and mappings become JSON strings, and characters that XML forbids
    become spaces.

    Raises:
        RunFolderError: the file cannot be written.
    """
    plain = graph.__class__()
    for node, attributes in graph.nodes(data=True):
        plain.add_node(node)
        plain.nodes[node].update({"label": node, **_scalars(attributes)})
    for source, target, values in graph.edges(data=True):
        plain.add_edge(source, target)
        plain.edges[source, target].update(_scalars(values))
    with atomic_write(path, "wb") as handle:
        # without inference, an attribute that is an int in one node and a float in another would be declared twice
        nx.write_graphml(plain, handle, infer_numeric_types=True)


def _scalars(values: dict[str, Any]) -> dict[str, Any]:
    return {_printable(name): _scalar(value) for name, value in values.items() if value is not None}


def _scalar(value: Any) -> str | int | float | bool:
    if isinstance(value, bool | int | float):
        return value
    return _printable(value if isinstance(value, str) else json_text(value))


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)
