"""The best partition by dynamic programming over subsets: always exact, in a time that is known beforehand.

``best[S]``, the best partition of the blocks ``S``, is the maximum over all groups ``G`` of ``S`` that hold the highest
block ``h`` of ``S`` of ``value[G] + best[S - G]``. For all ``S`` with the same ``h`` at once that is a max-plus subset
convolution of two arrays that are known by then, ``value`` of the sets with ``h`` and ``best`` of those below ``h``.
It takes ``3 ** h`` sums; the low bits of the sets run through numpy as one vector of precomputed pairs. The last
block's group is needed for one set only, which makes ``3 ** (B - 1) / 2`` sums in all: two seconds for 20 blocks.

A prescribed number of groups takes a layer ``best_k`` for each number ``k`` up to half of it, because two halves of a
partition are partitions themselves.

Shapes: B blocks. A set of blocks is the number with their bits; the first block has the highest bit.
"""

from __future__ import annotations

import functools

import numpy as np

from mvlpt.graph.blocks import Problem, numbered

LOW = 8  # bits whose pairs of subsets run as one vector: 3 ** 8 sums
LARGEST = 21  # blocks; above, the tables outgrow memory


def sums_needed(problem: Problem) -> float:
    """How many sums :func:`best_labels` takes at most; some 300 million take a second."""
    layers = 1 + (_layers(problem) if _limits_number(problem) else 0)
    return layers * 3.0 ** max(len(problem) - 1, 0) / 2


def best_labels(problem: Problem) -> np.ndarray | None:
    """The best partition of a problem of at most :data:`LARGEST` blocks.

    Among equals the one with the fewest groups; then the one whose first block has the largest group, and so on.

    Returns:
        (B,) labels, or ``None`` where no partition keeps to the limits.
    """
    value = group_values(problem)
    best = _partitions(value)
    labels = _labels(_walk([best], value, 0, exact=False), len(problem))
    if problem.fewest <= labels.max() + 1 <= problem.most:
        return labels
    return _with_number(problem, value)


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


def _partitions(value: np.ndarray, before: np.ndarray | None = None) -> np.ndarray:
    """The best partition of every set without the highest bit, and of the full set.

    Args:
        value: (2 ** B,) of :func:`group_values`.
        before: the same with one group fewer; ``None``: any number of groups.
    """
    best = np.full(len(value), -np.inf)
    if before is None:
        best[0] = 0.0
    rest = best if before is None else before
    bits = len(value).bit_length() - 1
    for bit in range(bits - 1):
        below = 2**bit
        best[below : 2 * below] = _convolve(value[below : 2 * below], rest[:below])
    if bits:
        top = 2 ** (bits - 1)
        best[-1] = (value[top:] + rest[top - 1 :: -1] if top > 1 else value[top:] + rest[:1]).max()
    return best


def _limits_number(problem: Problem) -> bool:
    return problem.fewest > 1 or problem.most < len(problem)


def _layers(problem: Problem) -> int:
    return (problem.most + 1) // 2


def _with_number(problem: Problem, value: np.ndarray) -> np.ndarray | None:
    """The best partition with a number of groups that is allowed."""
    number, most = len(problem), problem.most
    exact = problem.fewest > 1 or most == 1
    layers = [np.full(len(value), -np.inf)]
    layers[0][0] = 0.0
    for _ in range(_layers(problem)):
        grown = _partitions(value, layers[-1])
        layers.append(grown if exact else np.maximum(grown, layers[-1]))
    if most == 1:
        return np.zeros(number, dtype=np.int64) if np.isfinite(value[-1]) else None
    groups = _meet(layers, value, most // 2, most - most // 2, exact)
    return None if groups is None else _labels(groups, number)


def _meet(layers: list[np.ndarray], value: np.ndarray, few: int, many: int, exact: bool) -> list[int] | None:
    """The groups of the best partition into ``few`` and ``many`` groups; the ``many`` hold the highest block.

    Sets with the highest block have no entry in the layers but for the full set, so their first group is tried here.
    """
    top = len(value) // 2
    with_top = _convolve_top(value, layers[many - 1])
    reached = with_top + layers[few][top - 1 :: -1] if top > 1 else with_top + layers[few][:1]
    place = int(np.argmax(reached))
    if not np.isfinite(reached[place]):
        return None
    below, rest = place, (top - 1) ^ place
    subsets = _subsets(below)
    first = _first_of_largest(value[top | subsets] + layers[many - 1][below ^ subsets], subsets)
    return [
        top | first,
        *_walk(layers, value, many - 1, exact=exact, whole=below ^ first),
        *_walk(layers, value, few, exact=exact, whole=rest),
    ]


def _convolve_top(value: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """The best partition of all sets with the highest block, by the sets below it."""
    top = len(value) // 2
    return _convolve(value[top:], rest[:top])


def _first_of_largest(reached: np.ndarray, subsets: np.ndarray) -> int:
    """Among the subsets that reach the most: the one with the most blocks, then with the earliest."""
    equal = subsets[reached == reached.max()]
    return max(map(int, equal), key=lambda subset: (subset.bit_count(), subset))


def _walk(
    layers: list[np.ndarray], value: np.ndarray, layer: int, *, exact: bool, whole: int | None = None
) -> list[int]:
    """The groups behind an entry of a table: each step takes the group of the highest block that is left."""
    left = len(value) - 1 if whole is None else whole
    groups = []
    while left:
        top = 1 << (left.bit_length() - 1)
        while len(layers) > 1 and not exact and layers[layer - 1][left] == layers[layer][left]:
            layer -= 1  # as good with fewer groups
        before = layers[layer - 1] if len(layers) > 1 else layers[0]
        subsets = _subsets(left ^ top)
        first = _first_of_largest(value[top | subsets] + before[left ^ top ^ subsets], subsets)
        groups.append(top | first)
        left ^= top | first
        layer -= 1
    return groups


def _labels(groups: list[int], number: int) -> np.ndarray:
    labels = np.empty(number, dtype=np.int64)
    for label, group in enumerate(groups):
        labels[[block for block in range(number) if group >> (number - 1 - block) & 1]] = label
    return numbered(labels)
