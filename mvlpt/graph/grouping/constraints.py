"""What a partition must keep to: the number of groups, their size and classes, tasks that belong together or apart."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import networkx as nx

from mvlpt.errors import GraphError
from mvlpt.graph.checks import index_of

Links = Iterable[Iterable[str]]


@dataclass(frozen=True)
class Constraints:
    """Limits on a partition of named tasks; see :meth:`of`.

    Attributes:
        groups: the number of groups, exactly; ``None``: any.
        max_groups: the number of groups, at most.
        max_size: tasks in a group, at most.
        max_classes: classes in a group, at most.
        classes: number of classes of each task; empty where ``max_classes`` is ``None``.
        must_link: sets of positions of tasks that share a group; the sets are disjoint.
        cannot_link: pairs of positions of tasks that do not.
    """

    groups: int | None
    max_groups: int | None
    max_size: int | None
    max_classes: int | None
    classes: tuple[int, ...]
    must_link: tuple[tuple[int, ...], ...]
    cannot_link: tuple[tuple[int, int], ...]

    @classmethod
    def of(
        cls,
        tasks: Sequence[str],
        *,
        groups: int | None = None,
        max_groups: int | None = None,
        max_size: int | None = None,
        max_classes: int | None = None,
        classes: Mapping[str, int] | Sequence[int] | None = None,
        must_link: Links = (),
        cannot_link: Links = (),
    ) -> Constraints:
        """Checks the limits by themselves and against each other.

        Args:
            tasks: the names that links speak of.
            groups, max_groups, max_size, max_classes: see the class.
            classes: each task's number of classes, by name or in the order of ``tasks``.
            must_link: sets of two or more tasks that share a group; sets with a common task are one.
            cannot_link: sets of two or more tasks of which no two share a group.

        Raises:
            GraphError: a limit is no whole number above 0, a task is unknown, or limits contradict each other.
        """
        limits = {"groups": groups, "max_groups": max_groups, "max_size": max_size, "max_classes": max_classes}
        for name, limit in limits.items():
            if limit is not None and (not _is_whole(limit) or limit < 1):
                raise GraphError(f"{name} is {limit!r}; give a whole number of at least 1, or leave it out")
        if groups is not None and max_groups is not None and groups > max_groups:
            raise GraphError(f"groups is {groups}, but max_groups is {max_groups}; give one of them")
        counts = _class_counts(tasks, classes, max_classes)
        together = nx.Graph()
        together.add_edges_from(_pairs(tasks, must_link, "must_link"))
        apart = sorted({(min(pair), max(pair)) for pair in _pairs(tasks, cannot_link, "cannot_link")})
        _check_contradiction(tasks, together, apart)
        blocks = tuple(sorted(tuple(sorted(block)) for block in nx.connected_components(together)))
        return cls(groups, max_groups, max_size, max_classes, counts, blocks, tuple(apart))


def _is_whole(value: Any) -> bool:
    return not isinstance(value, bool) and hasattr(value, "__index__")


def _class_counts(tasks: Sequence[str], classes: Any, max_classes: int | None) -> tuple[int, ...]:
    """The number of classes of each task, needed only where it is limited."""
    if max_classes is None:
        return ()
    if classes is None:
        raise GraphError(f"max_classes is {max_classes}, but the tasks' numbers of classes are not given (classes)")
    if isinstance(classes, Mapping):
        unknown = [task for task in classes if task not in tasks]
        index_of(tasks, unknown, "classes")  # tells the nearest name
        missing = [task for task in tasks if task not in classes]
        if missing:
            raise GraphError(f"classes does not say how many classes '{missing[0]}' has")
        classes = [classes[task] for task in tasks]
    if len(classes) != len(tasks):
        raise GraphError(f"classes holds {len(classes)} numbers for {len(tasks)} tasks")
    for task, count in zip(tasks, classes, strict=True):
        if not _is_whole(count) or count < 0:
            raise GraphError(f"classes says {count!r} for '{task}'; give a whole number")
        if count > max_classes:
            raise GraphError(
                f"'{task}' alone has {count} classes, but max_classes is {max_classes}; raise it or leave the task out"
            )
    return tuple(int(count) for count in classes)


def _pairs(tasks: Sequence[str], links: Links, name: str) -> list[tuple[int, int]]:
    """All pairs of positions in sets of tasks."""
    pairs = []
    for link in links:
        if isinstance(link, str):
            raise GraphError(f"{name} holds the single name '{link}'; give sets of at least two tasks")
        places = index_of(tasks, link, name)
        if len(set(places)) != len(places) or len(places) < 2:
            raise GraphError(f"{name} holds {list(link)}; give sets of at least two different tasks")
        pairs += [(i, j) for at, i in enumerate(places) for j in places[at + 1 :]]
    return pairs


def _check_contradiction(tasks: Sequence[str], together: nx.Graph, apart: Sequence[tuple[int, int]]) -> None:
    """Refuses a pair that must be together, if through others, and apart."""
    for i, j in apart:
        if i in together and j in together and nx.has_path(together, i, j):
            path = [tasks[k] for k in nx.shortest_path(together, i, j)]
            through = f" through {', '.join(map(repr, path[1:-1]))}" if len(path) > 2 else ""
            raise GraphError(
                f"must_link joins '{path[0]}' and '{path[-1]}'{through}, but cannot_link keeps them apart; drop one"
            )


def limit_or_inf(limit: int | None) -> float:
    """A limit as a number that always compares."""
    return math.inf if limit is None else float(limit)
