"""Which tasks should share a prompt: a partition of tasks by their similarity or affinity."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from mvlpt.errors import GraphError, suggest
from mvlpt.graph.checks import check_matrix, check_tasks
from mvlpt.graph.grouping.blocks import Problem, build_problem
from mvlpt.graph.grouping.constraints import Constraints
from mvlpt.graph.grouping.exact import Best, exact_labels, quick_optimum
from mvlpt.graph.grouping.feasible import packed, repair
from mvlpt.graph.grouping.groups import Grouping, canonical_groups, relative_gap
from mvlpt.graph.grouping.heuristics import best_heuristic, heuristic_labels
from mvlpt.graph.grouping.objective import check_threshold, pair_weights, partition_score, unit_of
from mvlpt.graph.grouping.starts import shuffled

METHODS = ("auto", "exact", "louvain", "greedy", "spectral", "agglomerative", "all", "single", "random")
FIXED = ("all", "single")  # of these what is grouped changes nothing
TIME_LIMIT = 60.0  # seconds for what dynamic programming cannot do

__all__ = ["METHODS", "Grouping", "canonical_groups", "check_grouping", "group_tasks", "relative_gap"]


def group_tasks(
    matrix: Any,
    tasks: Sequence[str] | None = None,
    *,
    method: str = "auto",
    groups: int | None = None,
    max_groups: int | None = None,
    max_size: int | None = None,
    max_classes: int | None = None,
    classes: Mapping[str, int] | Sequence[int] | None = None,
    must_link: Iterable[Iterable[str]] = (),
    cannot_link: Iterable[Iterable[str]] = (),
    threshold: float | None = None,
    kind: str | None = None,
    time_limit: float | None = TIME_LIMIT,
    seed: int = 0,
) -> Grouping:
    """Partitions tasks: the sum, over all pairs that share a group, of (value - threshold) is as large as can be.

    The answer does not depend on the order of the tasks. Among equals it has the fewest groups; what then is left open
    follows from the order of the names. ``docs/grouping.md`` tells the methods apart.

    Args:
        matrix: (T, T) symmetric similarities, or directed affinities, of which both directions are averaged.
        tasks: names of the rows; ``None``: their numbers.
        method: one of :data:`METHODS`; ``auto`` is exact for up to 20 tasks, else the best of several heuristics.
        groups: the number of groups; ``None``: what the objective chooses.
        max_groups, max_size, max_classes: the number of groups, tasks in a group, classes in a group, at most.
        classes: number of classes of each task, by name or in the order of the rows; for ``max_classes``.
        must_link: sets of tasks that share a group.
        cannot_link: sets of tasks of which no two do.
        threshold: the value from which on a pair should share a group; ``None``: the mean over all pairs of a
            similarity, 0 for an affinity.
        kind: ``similarity`` or ``affinity``; ``None``: a similarity where the matrix is symmetric.
        time_limit: seconds for ``exact`` with more than 21 tasks; ``None``: until it is proved.
        seed: of methods that draw random numbers.

    Returns:
        The groups, with the objective and, where the optimum is known, the gap to it. Where ``exact`` ran out of time,
        the gap is ``None`` and ``settings`` hold ``bound`` and ``gap_at_most``.

    Raises:
        GraphError: the matrix or an option cannot be used, or no partition keeps to the limits.
    """
    _check_method(method)
    size = len(check_matrix(matrix, None if tasks is None else tuple(tasks)))
    names = check_tasks(_numbers(size) if tasks is None else tasks, "The grouping")
    order = sorted(range(size), key=names.__getitem__)
    ordered = tuple(names[place] for place in order)
    values = np.array(matrix, dtype=np.float64)[np.ix_(order, order)]
    weights, threshold, kind = pair_weights(values, ordered, kind, threshold)
    if classes is not None and not isinstance(classes, Mapping):
        if len(classes) != size:
            raise GraphError(f"classes holds {len(classes)} numbers for {size} tasks")
        classes = dict(zip(names, classes, strict=True))
    links = {"must_link": _lists(must_link), "cannot_link": _lists(cannot_link)}
    limits = {"groups": groups, "max_groups": max_groups, "max_size": max_size, "max_classes": max_classes}
    problem = build_problem(weights, ordered, Constraints.of(ordered, **limits, classes=classes, **links))
    found, used = _solve(problem, method, time_limit, seed)
    labels = problem.task_labels(found.labels if isinstance(found, Best) else found)
    objective = partition_score(weights, labels)
    settings = {"kind": kind, "threshold": threshold} | {key: value for key, value in limits.items() if value}
    settings |= {key: sorted(map(sorted, value)) for key, value in links.items() if value}
    settings |= {"found_by": used} if used != method else {}
    gap = None
    if isinstance(found, Best):
        gap = 0.0 if found.proved else None
        if not found.proved:
            bound = objective + (found.bound - problem.score(found.labels)) * unit_of(weights)
            settings |= {"bound": bound, "gap_at_most": relative_gap(bound, objective)}
    elif (best := quick_optimum(problem)) is not None:
        gap = relative_gap(partition_score(weights, problem.task_labels(best)), objective)
    chosen = canonical_groups([[ordered[i] for i in np.flatnonzero(labels == label)] for label in np.unique(labels)])
    return Grouping(chosen, method, objective, gap, seed, settings)


def check_grouping(
    tasks: Sequence[str],
    *,
    method: str = "auto",
    threshold: float | None = None,
    must_link: Iterable[Iterable[str]] = (),
    cannot_link: Iterable[Iterable[str]] = (),
    seed: int = 0,
    **limits: Any,
) -> None:
    """Refuses what :func:`group_tasks` would refuse whatever the matrix is, so that none need be computed for it.

    Args:
        tasks: names.
        method, threshold, must_link, cannot_link, seed, limits: the options of :func:`group_tasks`.

    Raises:
        GraphError: an option cannot be used, or no partition keeps to the limits.
    """
    _check_method(method)
    names = tuple(sorted(check_tasks(tasks, "The grouping")))
    check_threshold(threshold)
    links = {"must_link": _lists(must_link), "cannot_link": _lists(cannot_link)}
    problem = build_problem(np.zeros([len(names)] * 2), names, Constraints.of(names, **limits, **links))
    if method in FIXED:
        _fixed_labels(problem, method)
    elif not problem.free:
        packed(problem)


def _check_method(method: str) -> None:
    if method not in METHODS:
        raise GraphError(f"The grouping method '{method}' is unknown{suggest(str(method), METHODS)}")


def _lists(links: Iterable[Iterable[str]]) -> list[list[str] | str]:
    """Links as lists; a name alone stays what it is, for the check that refuses it."""
    return [link if isinstance(link, str) else list(link) for link in links]


def _numbers(size: int) -> list[str]:
    """Names for rows without: their numbers, written so that their order is that of the rows."""
    return [str(place).zfill(len(str(size - 1))) for place in range(size)]


def _solve(problem: Problem, method: str, time_limit: float | None, seed: int) -> tuple[Best | np.ndarray, str]:
    """Groups of the blocks, and the method that found them."""
    if method == "auto":
        best = quick_optimum(problem)
        if best is not None:
            return Best(best, problem.score(best), True), "exact"
        return best_heuristic(problem, seed)
    if method == "exact":
        return exact_labels(problem, time_limit, seed), method
    if method == "random":
        like = None if problem.fewest == problem.most else _solve(problem, "auto", None, seed)[0]
        labels = shuffled(problem, seed, like.labels if isinstance(like, Best) else like)
        return (labels if problem.allows(labels) else repair(problem, labels)), method
    if method in FIXED:
        return _fixed_labels(problem, method), method
    return heuristic_labels(problem, method, seed), method


def _fixed_labels(problem: Problem, method: str) -> np.ndarray:
    """All blocks in one group, or each in its own.

    Raises:
        GraphError: a limit forbids it.
    """
    labels = np.zeros(len(problem), dtype=np.int64) if method == "all" else np.arange(len(problem))
    if not problem.allows(labels):
        _refuse(problem, method, int(labels.max()) + 1)
    return labels


def _refuse(problem: Problem, method: str, number: int) -> None:
    """Tells which limit a fixed partition breaks."""
    if not problem.fewest <= number <= problem.most:
        asked = f"exactly {problem.most}" if problem.fewest > 1 else f"at most {problem.most}"
        limit = f"{asked} were asked for" if number != 1 else f"at least {problem.fewest} were asked for"
    elif problem.apart.any():
        limit = "cannot_link keeps some apart"
    elif problem.sizes.sum() > problem.max_size:
        limit = f"max_size is {problem.max_size:.0f}"
    else:
        limit = f"max_classes is {problem.max_classes:.0f}"
    groups = "one group" if number == 1 else f"{number} groups"
    raise GraphError(f"The method '{method}' makes {groups}, but {limit}; drop the limit or take another method")
