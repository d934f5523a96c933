"""The best partition by dynamic programming over subsets: always exact, in a time that is known beforehand.

``best[S]``, the best partition of the blocks ``S``, is the maximum over all groups ``G`` of ``S`` that hold the highest
block ``h`` of ``S`` of ``value[G] + best[S - G]``. For all ``S`` with the same ``h`` at once that is a max-plus subset
convolution of two arrays that are known by then, ``value`` of the sets with ``h`` and ``best`` of those below ``h``.
It takes ``3 ** h`` sums; the low bits of the sets run through numpy as one vector of precomputed pairs. The last
block's group is needed for one set only, which makes ``3 ** (B - 1) / 2`` sums in all: a second or two for 20 blocks.

With a prescribed number ``k`` of groups the tables are ``best_k``. ``best_(a + b)`` follows from ``best_a`` and
``best_b`` in the same way, since the groups of a partition can be dealt into ``a``, one of which holds the highest
block, and ``b``. So doubling leads to any number in a few steps: four tables for ten groups.

Shapes: B blocks. A set of blocks is the number with their bits; the first block has the highest bit.
"""

from __future__ import annotations

import functools

import numpy as np

from mvlpt.graph.grouping.blocks import Problem, numbered

LOW = 8  # bits whose pairs of subsets run as one vector: 3 ** 8 sums
LARGEST = 21  # blocks; above, the tables outgrow memory


def sums_needed(problem: Problem) -> float:
    """How many sums :func:`best_labels` takes at most; some 300 million take a second."""
    tables = 1
    if _limits_number(problem):
        steps = len(_steps(problem.most - 1))
        tables = steps + (problem.fewest == 1 and steps > 1)
    return tables * 3.0 ** max(len(problem) - 1, 0) / 2


def best_labels(problem: Problem) -> np.ndarray | None:
    """The best partition of a problem of at most :data:`LARGEST` blocks.

    Among equals the one with the fewest groups; then the one whose first block has the largest group, and so on.

    Returns:
        (B,) labels, or ``None`` where no partition keeps to the limits.
    """
    value, number = group_values(problem), len(problem)
    limited = _limits_number(problem)
    if not limited or (problem.fewest == 1 and len(_steps(problem.most - 1)) > 1):
        labels = _labels(_walk(_partitions(value), value, 2**number - 1), number)
        if labels.max() < problem.most:
            return labels
    groups = _with_number(value, problem.most, exact=problem.fewest > 1 or problem.most == 1)
    return None if groups is None else _labels(groups, number)


def group_values(problem: Problem) -> np.ndarray:
    """(2 ** B,) what each set of blocks is worth as a group, less a trifle that breaks ties; ``-inf`` if not allowed.

    The trifle, one for each group where a unit of weight counts 64, makes the fewest groups the best among equals.
    """
    number = len(problem)
    value, size, classes = np.zeros(1), np.zeros(1), np.zeros(1)
    for bit in range(number):  # sets with this bit are the sets below it, once more
        block = number - 1 - bit
        row = np.zeros(1)
        for lower in range(bit):
            other = number - 1 - lower
            joined = -np.inf if problem.apart[block, other] else problem.weights[block, other]
            row = np.concatenate([row, row + joined])
        value = np.concatenate([value, value + row])
        size = np.concatenate([size, size + problem.sizes[block]])
        classes = np.concatenate([classes, classes + problem.classes[block]])
    value = 64 * value - 1
    value[(size > problem.max_size) | (classes > problem.max_classes)] = -np.inf
    value[0] = -np.inf
    return value


@functools.cache
def _pairs_of_subsets(bits: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All (G, S - G) for all S of some bits, one S after the other, and where each S begins."""
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
    room = np.empty(len(part))
    for high in range(len(lefts)):
        chosen = lefts[high] + rights[0]
        taken = high
        while taken:  # the proper subsets, from the largest down to the empty one
            taken = (taken - 1) & high
            np.add(lefts[taken], rights[high ^ taken], out=room)
            np.maximum(chosen, room, out=chosen)
        np.maximum.reduceat(chosen, starts, out=out[high])
    return out.ravel()


def _partitions(first: np.ndarray, rest: np.ndarray | None = None) -> np.ndarray:
    """``out[S] = max over G of first[G] + rest[S - G]``, where G holds the highest block of S, for the sets without the
    first block and the full set.

    Args:
        first: (2 ** B,) what G is worth; as one group, or as several.
        rest: (2 ** B,) what the others are worth; ``None``: what they are in the table that is made.
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


def _limits_number(problem: Problem) -> bool:
    return problem.fewest > 1 or problem.most < len(problem)


def _steps(number: int) -> list[tuple[int, int, int]]:
    """How to reach a number from 1 by sums of numbers reached before: (sum, one, other), by doubling."""
    steps, reached = [], 1
    for digit in bin(number)[3:] if number > 1 else "":
        steps.append((2 * reached, reached, reached))
        reached *= 2
        if digit == "1":
            steps.append((reached + 1, 1, reached))
            reached += 1
    return steps


def _with_number(value: np.ndarray, number: int, *, exact: bool) -> list[int] | None:
    """The groups of the best partition into exactly, or at most, so many groups; ``None`` where there is none."""
    if not exact:
        value = value.copy()
        value[0] = 0.0  # an empty group stands for one that is not used
    full = len(value) - 1
    if number == 1:
        return [full] if np.isfinite(value[full]) else None
    steps = _steps(number - 1)
    tables = {1: value}
    for total, one, other in steps:
        tables[total] = _partitions(tables[one], tables[other])
        if not exact:
            tables[total][0] = 0.0
    half = len(value) // 2
    reached = value[half:] + tables[number - 1][:half][::-1]
    if not np.isfinite(reached.max()):
        return None
    first = half | _first_of_largest(reached, np.arange(half))
    parents = {total: (one, other) for total, one, other in steps}
    return [first, *_unfold(tables, parents, number - 1, full ^ first)]


def _unfold(tables: dict[int, np.ndarray], parents: dict[int, tuple[int, int]], number: int, whole: int) -> list[int]:
    """The groups behind an entry of the table for a number of groups."""
    if whole == 0:
        return []
    if number == 1:
        return [whole]
    one, other = parents[number]
    top = 1 << (whole.bit_length() - 1)
    subsets = _subsets(whole ^ top)
    first = top | _first_of_largest(tables[one][top | subsets] + tables[other][whole ^ top ^ subsets], subsets)
    return [*_unfold(tables, parents, one, first), *_unfold(tables, parents, other, whole ^ first)]


def _first_of_largest(reached: np.ndarray, subsets: np.ndarray) -> int:
    """Among the subsets that reach the most: the one with the most blocks, then with the earliest."""
    equal = subsets[reached == reached.max()]
    return max(map(int, equal), key=lambda subset: (subset.bit_count(), subset))


def _walk(best: np.ndarray, value: np.ndarray, whole: int) -> list[int]:
    """The groups behind an entry of the table for any number: each step takes the group of the highest block left."""
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
        labels[[block for block in range(number) if group >> (number - 1 - block) & 1]] = label
    return numbered(labels)
