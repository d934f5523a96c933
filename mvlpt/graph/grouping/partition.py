"""Which tasks should share a prompt: a partition of tasks by their similarity or affinity."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from mvlpt.errors import GraphError, suggest
from mvlpt.graph.checks import check_matrix, check_tasks
from mvlpt.graph.grouping.exact import Solution, quick_optimum, solve_exactly
from mvlpt.graph.grouping.groups import Grouping, canonical_groups, relative_gap
from mvlpt.graph.grouping.heuristics import best_heuristic, heuristic_labels
from mvlpt.graph.grouping.local_search import repair
from mvlpt.graph.grouping.milp import feasible_groups
from mvlpt.graph.grouping.objective import check_threshold, integer_unit, pair_weights, partition_score
from mvlpt.graph.grouping.problem import Problem, build_problem, renumber
from mvlpt.randomness import python_stream

METHODS = ("auto", "exact", "louvain", "greedy", "spectral", "agglomerative", "all", "single", "random")
FIXED = ("all", "single")  # methods whose groups do not depend on the matrix
TIME_LIMIT = 60.0  # seconds for problems beyond dynamic programming


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
    """Partitions tasks to maximise the sum of (value - threshold) over all pairs that share a group.

    The result does not depend on the order of the tasks. Among equally good partitions it has the fewest groups;
    remaining ties are broken by the order of the names. ``docs/grouping.md`` describes the methods.

    Args:
        matrix: (T, T) symmetric similarities, or directed affinities whose two directions are averaged.
        tasks: names of the rows; ``None``: their numbers.
        method: one of :data:`METHODS`; ``auto`` is exact for up to 20 tasks, else the best of several heuristics.
        groups: the exact number of groups; ``None``: what the objective chooses.
        max_groups: the most groups.
        max_size: the most tasks in a group.
        max_classes: the most classes in a group.
        classes: number of classes of each task, by name or in the order of the rows; for ``max_classes``.
        must_link: sets of tasks that share a group.
        cannot_link: sets of tasks of which no two share a group.
        threshold: the value above which a pair should share a group; ``None``: the mean over all pairs for a
            similarity, 0 for an affinity.
        kind: ``similarity`` or ``affinity``; ``None``: a similarity if the matrix is symmetric.
        time_limit: seconds for ``exact`` with more than 21 tasks; ``None``: until the optimum is proved.
        seed: for methods that draw random numbers.

    Returns:
        The groups, the objective and, where the optimum is known, the gap to it. If ``exact`` runs out of time, the gap
        is ``None`` and ``settings`` holds ``bound`` and ``gap_at_most``.

    Raises:
        GraphError: the matrix or an option is invalid, or no partition satisfies the limits.
    """
    _check_method(method)
    names = None if tasks is None else check_tasks(tasks, "The grouping")
    values = check_matrix(matrix, names)
    names = names or _row_numbers(len(values))
    order = sorted(range(len(names)), key=names.__getitem__)
    ordered = tuple(names[i] for i in order)
    weights, threshold, kind = pair_weights(values[np.ix_(order, order)], ordered, kind, threshold)
    links = {"must_link": _lists(must_link), "cannot_link": _lists(cannot_link)}
    limits = {"groups": groups, "max_groups": max_groups, "max_size": max_size, "max_classes": max_classes}
    problem = build_problem(weights, ordered, **limits, classes=_by_name(classes, names), **links)
    found, used = _solve(problem, method, time_limit, seed)
    labels = problem.task_labels(_labels_of(found))
    objective = partition_score(weights, labels)
    settings = {"kind": kind, "threshold": threshold} | {key: int(value) for key, value in limits.items() if value}
    settings |= {key: sorted(map(sorted, value)) for key, value in links.items() if value}
    settings |= {"found_by": used} if used != method else {}
    gap, scale = None, float(np.abs(weights).max())
    if isinstance(found, Solution):
        gap = 0.0 if found.proved else None
        if not found.proved:
            bound = objective + (found.bound - problem.score(found.labels)) * integer_unit(weights)
            settings |= {"bound": bound, "gap_at_most": relative_gap(bound, objective, scale)}
    elif (best := quick_optimum(problem)) is not None:
        gap = relative_gap(partition_score(weights, problem.task_labels(best)), objective, scale)
    chosen = canonical_groups([[ordered[i] for i in np.flatnonzero(labels == label)] for label in np.unique(labels)])
    return Grouping(chosen, method, objective, gap, seed, settings)


def check_grouping(
    tasks: Sequence[str],
    *,
    method: str = "auto",
    threshold: float | None = None,
    must_link: Iterable[Iterable[str]] = (),
    cannot_link: Iterable[Iterable[str]] = (),
    classes: Mapping[str, int] | Sequence[int] | None = None,
    seed: int = 0,
    **limits: Any,
) -> None:
    """Raises the errors of :func:`group_tasks` that do not depend on the matrix, before any matrix is computed.

    Args:
        tasks: names.
        method, threshold, must_link, cannot_link, classes, seed, limits: the options of :func:`group_tasks`.

    Raises:
        GraphError: an option is invalid, or no partition satisfies the limits.
    """
    _check_method(method)
    names = check_tasks(tasks, "The grouping")
    check_threshold(threshold)
    links = {"must_link": _lists(must_link), "cannot_link": _lists(cannot_link)}
    weights = np.zeros([len(names)] * 2)
    problem = build_problem(weights, sorted(names), **limits, classes=_by_name(classes, names), **links)
    if method in FIXED:
        _fixed_labels(problem, method)
    elif not problem.groups_are_free:
        feasible_groups(problem)


def _check_method(method: str) -> None:
    if method not in METHODS:
        raise GraphError(f"The grouping method '{method}' is unknown{suggest(str(method), METHODS)}")


def _lists(links: Iterable[Iterable[str]]) -> list[list[str] | str]:
    """Links as lists; a single name is left as it is and refused later."""
    return [link if isinstance(link, str) else list(link) for link in links]


def _by_name(classes: Mapping[str, int] | Sequence[int] | None, names: Sequence[str]) -> Mapping[str, int] | None:
    """The tasks' numbers of classes by name."""
    if classes is None or isinstance(classes, Mapping):
        return classes
    if len(classes) != len(names):
        raise GraphError(f"classes has {len(classes)} numbers for {len(names)} tasks")
    return dict(zip(names, classes, strict=True))


def _row_numbers(size: int) -> tuple[str, ...]:
    """Names for unnamed rows: zero-padded numbers, which sort like the rows."""
    return tuple(str(row).zfill(len(str(size - 1))) for row in range(size))


def _solve(problem: Problem, method: str, time_limit: float | None, seed: int) -> tuple[Solution | np.ndarray, str]:
    """A partition of the units, and the method that found it."""
    if method == "auto":
        best = quick_optimum(problem)
        if best is not None:
            return Solution(best, problem.score(best), True), "exact"
        return best_heuristic(problem, seed)
    if method == "exact":
        return solve_exactly(problem, time_limit, seed), method
    if method == "random":
        return _random_labels(problem, seed), method
    if method in FIXED:
        return _fixed_labels(problem, method), method
    return heuristic_labels(problem, method, seed), method


def _labels_of(found: Solution | np.ndarray) -> np.ndarray:
    return found.labels if isinstance(found, Solution) else found


def _random_labels(problem: Problem, seed: int) -> np.ndarray:
    """Units shuffled into groups of equal size if their number is given, else of the sizes that ``auto`` finds."""
    if problem.min_groups == problem.max_groups:
        sizes = np.arange(len(problem)) % problem.max_groups
    else:
        sizes = renumber(_labels_of(_solve(problem, "auto", None, seed)[0]))
    shuffled = sorted(sizes.tolist())
    python_stream("grouping", "random", seed).shuffle(shuffled)
    labels = renumber(np.array(shuffled))
    return labels if problem.is_feasible(labels) else repair(problem, labels)


def _fixed_labels(problem: Problem, method: str) -> np.ndarray:
    """All units in one group, or each in its own.

    Raises:
        GraphError: a limit forbids it.
    """
    labels = np.zeros(len(problem), dtype=np.int64) if method == "all" else np.arange(len(problem))
    if problem.is_feasible(labels):
        return labels
    number = int(labels.max()) + 1
    if not problem.min_groups <= number <= problem.max_groups:
        amount = f"at least {problem.min_groups}" if number == 1 else f"at most {problem.max_groups}"
        exactly = number > 1 and problem.min_groups > 1
        limit = f"{f'exactly {problem.max_groups}' if exactly else amount} are required"
    elif problem.apart.any():
        limit = "cannot_link keeps some apart"
    elif problem.sizes.sum() > problem.max_size:
        limit = f"max_size is {problem.max_size:.0f}"
    else:
        limit = f"max_classes is {problem.max_classes:.0f}"
    groups = "one group" if number == 1 else f"{number} groups"
    raise GraphError(f"The method '{method}' makes {groups}, but {limit}; drop the limit or use another method")
