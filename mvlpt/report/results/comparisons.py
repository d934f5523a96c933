"""Paired tests between methods: which pairs, and their results corrected for the number of tests."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from mvlpt.errors import ConfigError
from mvlpt.report.results.method import Method
from mvlpt.report.results.paired_test import PairedTest, holm, paired_test
from mvlpt.report.results.scores import Scores
from mvlpt.report.results.selection import find_method


@dataclass(frozen=True)
class Comparison:
    """A paired test between two methods over the tasks that both have; ``p_holm`` corrects for all tests shown."""

    first: Method
    second: Method
    test: PairedTest
    p_holm: float | None


def untrained(scores: Scores, method: Method, zero_shot: Method | None) -> Method | None:
    """The untrained model on the classes that a method's scores are about; ``None`` for itself and if there is none.

    Args:
        scores: all of them.
        method: whose reference.
        zero_shot: the zero-shot method, if there is exactly one.
    """
    if not method.half:
        return None if method == zero_shot else zero_shot
    found = [one for one in scores.methods if one.half == method.half and one.untrained]
    return found[0] if len(found) == 1 and found[0] != method else None


def default_pairs(scores: Scores, methods: Sequence[Method], zero_shot: Method | None) -> list[tuple[Method, Method]]:
    """Each method against zero-shot, and the arms of a trainer against each other, the more shared arm first.

    Separate groups are not tested against each other: there may be very many. Nor are scores on other classes.
    """
    trained = [method for method in methods if not method.zero_shot]
    pairs = []
    for earlier, later in itertools.combinations(trained, 2):
        same = (earlier.trainer, earlier.shots, earlier.half) == (later.trainer, later.shots, later.half)
        both_groups = all(method.group and not method.start for method in (earlier, later))
        if same and (earlier.arm == "single" or not both_groups):
            pairs.append((later, earlier))
    references = {method: untrained(scores, method, zero_shot) for method in trained}
    pairs += [(method, reference) for method, reference in references.items() if reference is not None]
    order = {method: index for index, method in enumerate(methods)}
    return sorted(pairs, key=lambda pair: (order[pair[0]], order.get(pair[1], -1)))


def named_pair(scores: Scores, one: str, other: str) -> tuple[Method, Method]:
    """Two methods that were named to be compared.

    Raises:
        ConfigError: a name fits no method, both are the same method, or no task has scores of both.
    """
    first, second = find_method(one, scores.methods), find_method(other, scores.methods)
    if first == second:
        raise ConfigError(f"'{one}' and '{other}' are one method, {' '.join(first.words)}; name two that differ")
    if not scores.common_tasks((first, second)):
        raise ConfigError(f"No task has scores of both '{one}' and '{other}', so they cannot be compared")
    return first, second


def compare_methods(scores: Scores, pairs: Sequence[tuple[Method, Method]]) -> tuple[Comparison, ...]:
    """Tests pairs of methods over the tasks that both have; pairs without such tasks are left out."""
    tested = []
    for first, second in pairs:
        tasks = scores.common_tasks((first, second))
        if tasks and first != second:
            tested.append((first, second, paired_test([scores.gain(first, second, task) for task in tasks])))
    corrected = holm([test.p for _, _, test in tested])
    return tuple(Comparison(a, b, test, p) for (a, b, test), p in zip(tested, corrected, strict=True))
