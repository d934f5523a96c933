"""The best partition by dynamic programming over subsets: exact, in a time that is known beforehand.

``best[S]``, the value of the best partition of the units ``S``, is the maximum of ``value[G] + best[S - G]`` over all
groups ``G`` within ``S`` that contain the highest unit ``h`` of ``S``. For all ``S`` with the same ``h`` this is one
max-plus subset convolution of two known arrays: ``value`` of the sets with ``h`` and ``best`` of the sets below ``h``.
It takes ``3 ** h`` additions; the low bits of the sets run through numpy as one vector of precomputed pairs. The group
of the last unit is needed for one set only, so ``3 ** (U - 1) / 2`` additions suffice: a second or two for 20 units.

For a given number ``k`` of groups there is one table for each number. The table for ``a + b`` follows from those for
``a`` and ``b`` in the same way, since any partition can be split into ``a`` groups, one of which contains the highest
unit, and ``b`` others. Doubling reaches any number in a few steps: ten groups take four tables.

Shapes: U units. A set of units is an integer whose bits are the units; the first unit has the highest bit.
"""

from __future__ import annotations

import functools

import numpy as np

from mvlpt.graph.grouping.problem import Problem, renumber

LOW = 8  # bits whose pairs of subsets run as one vector: 3 ** 8 additions
MAX_UNITS = 21  # above, the tables outgrow memory


def additions_needed(problem: Problem) -> float:
    """The most additions that :func:`best_labels` makes; some 300 million take a second."""
    tables = 1
    if not problem.count_is_free:
        steps = len(_doubling_steps(problem.max_groups - 1))
        tables = steps + (problem.min_groups == 1 and steps > 1)
    return tables * 3.0 ** max(len(problem) - 1, 0) / 2


def best_labels(problem: Problem) -> np.ndarray | None:
    """The best partition of a problem of at most :data:`MAX_UNITS` units.

    Among equals it has the fewest groups; then the largest group around the first unit, and so on.

    Returns:
        (U,) labels, or ``None`` if no partition satisfies the limits.
    """
    value, number = group_values(problem), len(problem)
    most = problem.max_groups
    if problem.count_is_free or (problem.min_groups == 1 and len(_doubling_steps(most - 1)) > 1):
        labels = _labels(_backtrack(_best_partitions(value), value, 2**number - 1), number)
        if labels.max() < most:
            return labels
    groups = _best_with_count(value, most, exact=problem.min_groups > 1 or most == 1)
    return None if groups is None else _labels(groups, number)


def group_values(problem: Problem) -> np.ndarray:
    """(2 ** U,) the value of each set of units as a group, ``-inf`` if it is not allowed.

    Weights count 64-fold and each group costs 1, so that among equal partitions the one with the fewest groups wins.
    """
    number = len(problem)
    value, size, classes = np.zeros(1), np.zeros(1), np.zeros(1)
    for bit in range(number):  # sets with this bit are the sets below it, once more
        unit = number - 1 - bit
        row = np.zeros(1)
        for lower in range(bit):
            other = number - 1 - lower
            joined = -np.inf if problem.apart[unit, other] else problem.weights[unit, other]
            row = np.concatenate([row, row + joined])
        value = np.concatenate([value, value + row])
        size = np.concatenate([size, size + problem.sizes[unit]])
        classes = np.concatenate([classes, classes + problem.classes[unit]])
    value = 64 * value - 1
    value[(size > problem.max_size) | (classes > problem.max_classes)] = -np.inf
    value[0] = -np.inf
    return value


@functools.cache
def _pairs_of_subsets(bits: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All (G, S - G) for all sets S of some bits, one S after the other, and where each S begins."""
    parts, rests, starts = [], [], []
    total = 0
    for whole in range(2**bits):
        part = _subsets(whole)
        parts.append(part)
        rests.append(whole ^ part)
        starts.append(total)
        total += len(part)
    return np.concatenate(parts), np.concatenate(rests), np.array(starts)


def _subsets(whole: int) -> np.ndarray:
    """All subsets of a set, in ascending order."""
    found = np.zeros(1, dtype=np.int64)
    while whole:
        low = whole & -whole
        found = np.concatenate([found, found | low])
        whole ^= low
    return found


def _convolve(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """``out[S] = max over G in S of left[G] + right[S - G]`` for arrays over all sets of some bits."""
    bits = len(left).bit_length() - 1
    low = min(bits, LOW)
    part, rest, starts = _pairs_of_subsets(low)
    lefts = left.reshape(-1, 2**low).take(part, axis=1)
    rights = right.reshape(-1, 2**low).take(rest, axis=1)
    out = np.empty((len(lefts), 2**low))
    buffer = np.empty(len(part))
    for high in range(len(lefts)):
        chosen = lefts[high] + rights[0]
        taken = high
        while taken:  # the proper subsets, from the largest down to the empty one
            taken = (taken - 1) & high
            np.add(lefts[taken], rights[high ^ taken], out=buffer)
            np.maximum(chosen, buffer, out=chosen)
        np.maximum.reduceat(chosen, starts, out=out[high])
    return out.ravel()


def _best_partitions(first: np.ndarray, rest: np.ndarray | None = None) -> np.ndarray:
    """``out[S] = max over G of first[G] + rest[S - G]``, where G contains the highest unit of S.

    Computed for the sets without the first unit and for the full set.

    Args:
        first: (2 ** U,) the value of G, as one group or as several.
        rest: (2 ** U,) the value of the others; ``None``: that in ``out`` itself.
    """
    out = np.full(len(first), -np.inf)
    if rest is None:
        out[0] = 0.0
    rest = out if rest is None else rest
    bits = len(first).bit_length() - 1
    for bit in range(bits - 1):
        below = 2**bit
        out[below : 2 * below] = _convolve(first[below : 2 * below], rest[:below])
    half = len(first) // 2
    out[-1] = (first[half:] + rest[:half][::-1]).max()
    return out


def _doubling_steps(number: int) -> list[tuple[int, int, int]]:
    """How to reach a number from 1 by doubling and adding 1: (sum, addend, addend) of each step."""
    steps, reached = [], 1
    for digit in bin(number)[3:] if number > 1 else "":
        steps.append((2 * reached, reached, reached))
        reached *= 2
        if digit == "1":
            steps.append((reached + 1, 1, reached))
            reached += 1
    return steps


def _best_with_count(value: np.ndarray, number: int, *, exact: bool) -> list[int] | None:
    """The groups of the best partition into exactly, or at most, ``number`` groups; ``None`` if there is none."""
    if not exact:
        value = value.copy()
        value[0] = 0.0  # an empty group is one that is not used
    full = len(value) - 1
    if number == 1:
        return [full] if np.isfinite(value[full]) else None
    steps = _doubling_steps(number - 1)
    tables = {1: value}
    for total, one, other in steps:
        tables[total] = _best_partitions(tables[one], tables[other])
        if not exact:
            tables[total][0] = 0.0
    half = len(value) // 2
    reached = value[half:] + tables[number - 1][:half][::-1]
    if not np.isfinite(reached.max()):
        return None
    first = half | _first_of_largest(reached, np.arange(half))
    parents = {total: (one, other) for total, one, other in steps}
    return [first, *_backtrack_count(tables, parents, number - 1, full ^ first)]


def _backtrack_count(
    tables: dict[int, np.ndarray], parents: dict[int, tuple[int, int]], number: int, whole: int
) -> list[int]:
    """The groups behind the entry of a set in the table for a given number of groups."""
    if whole == 0:
        return []
    if number == 1:
        return [whole]
    one, other = parents[number]
    top = 1 << (whole.bit_length() - 1)
    subsets = _subsets(whole ^ top)
    first = top | _first_of_largest(tables[one][top | subsets] + tables[other][whole ^ top ^ subsets], subsets)
    return [*_backtrack_count(tables, parents, one, first), *_backtrack_count(tables, parents, other, whole ^ first)]


def _first_of_largest(reached: np.ndarray, subsets: np.ndarray) -> int:
    """Among the subsets that reach the maximum: the one with the most units, then the earliest."""
    equal = subsets[reached == reached.max()]
    return max(map(int, equal), key=lambda subset: (subset.bit_count(), subset))


def _backtrack(best: np.ndarray, value: np.ndarray, whole: int) -> list[int]:
    """The groups behind the entry of a set: each step takes the group of the highest unit left."""
    groups = []
    while whole:
        top = 1 << (whole.bit_length() - 1)
        subsets = _subsets(whole ^ top)
        first = top | _first_of_largest(value[top | subsets] + best[whole ^ top ^ subsets], subsets)
        groups.append(first)
        whole ^= first
    return groups


def _labels(groups: list[int], number: int) -> np.ndarray:
    labels = np.empty(number, dtype=np.int64)
    for label, group in enumerate(groups):
        labels[[unit for unit in range(number) if group >> (number - 1 - unit) & 1]] = label
    return renumber(labels)
