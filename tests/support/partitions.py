"""All partitions of a few tasks and their values, computed as plainly as possible."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np


def all_partitions(items: Sequence[str]) -> Iterator[list[list[str]]]:
    """Every partition of a sequence once (Bell's number of them)."""
    if not items:
        yield []
        return
    first, *rest = items
    for partition in all_partitions(rest):
        yield [[first], *partition]
        for place in range(len(partition)):
            yield [*partition[:place], [first, *partition[place]], *partition[place + 1 :]]


def value_of(matrix: np.ndarray, tasks: Sequence[str], partition: Sequence[Sequence[str]], threshold: float) -> float:
    """The objective as docs/grouping.md defines it: pairs in a group, both directions averaged, above the threshold."""
    total = 0.0
    for group in partition:
        for i in group:
            for j in group:
                if i < j:
                    a, b = tasks.index(i), tasks.index(j)
                    total += (matrix[a, b] + matrix[b, a]) / 2 - threshold
    return total


def satisfies(
    partition: Sequence[Sequence[str]],
    *,
    groups: int | None = None,
    max_groups: int | None = None,
    max_size: int | None = None,
    max_classes: int | None = None,
    classes: Mapping[str, int] | None = None,
    must_link: Sequence[Sequence[str]] = (),
    cannot_link: Sequence[Sequence[str]] = (),
) -> bool:
    """Whether a partition satisfies the limits."""
    where = {task: number for number, group in enumerate(partition) for task in group}
    return (
        (groups is None or len(partition) == groups)
        and (max_groups is None or len(partition) <= max_groups)
        and (max_size is None or all(len(group) <= max_size for group in partition))
        and (max_classes is None or all(sum(classes[t] for t in group) <= max_classes for group in partition))
        and all(len({where[task] for task in link}) == 1 for link in must_link)
        and all(len({where[task] for task in link}) == len(link) for link in cannot_link)
    )


def names(count: int) -> list[str]:
    """Names whose order is that of their numbers."""
    return [f"t{number:03d}" for number in range(count)]


def noise(count: int, seed: int, *, directed: bool = False) -> np.ndarray:
    """A matrix without structure."""
    matrix = np.random.default_rng(seed).normal(size=(count, count))
    return matrix if directed else (matrix + matrix.T) / 2


LIMITS = [
    {},
    {"groups": 1},
    {"groups": 2},
    {"groups": 3},
    {"groups": 5},
    {"max_groups": 2},
    {"max_size": 2},
    {"max_size": 3, "groups": 3},
    {"max_classes": 9},
    {"max_classes": 11, "max_groups": 3},
    {"must_link": [["t000", "t003"], ["t003", "t004"]]},
    {"cannot_link": [["t000", "t001", "t002"], ["t004", "t005"]]},
    {"must_link": [["t001", "t005"]], "cannot_link": [["t000", "t001"]], "groups": 3, "max_size": 3},
]
