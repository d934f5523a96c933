"""Better groups by small changes that satisfy the limits: how every heuristic ends.

:func:`improve` alternates four kinds of change until none helps: single moves, mergers, chains of moves, and swaps. A
chain (Kernighan and Lin, 1970) makes the best move of each unit once, even at a loss, and keeps the best state on the
way; so it splits groups and crosses valleys that single moves do not. :func:`iterated_local_search` (Lourenço, Martin
and Stützle, 2003) perturbs the result, improves it again, and keeps the better one. All work is bounded by counts, not
by a clock, so the result is the same on every machine.

Shapes: U units, G slots for groups, some of them empty.
"""

from __future__ import annotations

import random

import numpy as np

from mvlpt.graph.grouping.group_state import GroupState
from mvlpt.graph.grouping.milp import feasible_groups
from mvlpt.graph.grouping.problem import Problem, renumber
from mvlpt.randomness import python_stream

SWEEPS = 50
CHAINS = 20
WORK = 2e8  # pairs of a unit and a group that chains, swaps or perturbations may look at, roughly
PERTURBATIONS = 100
PERTURBED = 0.1  # share of the units that one perturbation moves, at least three


def repair(problem: Problem, labels: np.ndarray) -> np.ndarray:
    """Groups near the given ones that satisfy the limits: eject units, merge groups, split groups.

    Raises:
        GraphError: no groups satisfy the limits, or none were found.
    """
    state = GroupState(problem, renumber(labels))
    for unit in np.argsort(state.attachment(), kind="stable"):  # the least attached first
        own = state.labels[unit]
        if state.is_feasible(own) or state.members[own] == 1:
            continue
        if problem.apart[unit][state.labels == own].any() or state.is_overfull(own):
            fits = state.fits(unit)
            fits[own] = False
            gain = np.where(fits, state.sums[unit], -np.inf)
            target = int(np.argmax(gain))
            state.move(unit, target if gain[target] >= 0 else state.empty_slot())
    while state.count > problem.max_groups:
        gain, group, other = state.best_merger()
        if not np.isfinite(gain):
            state = GroupState(problem, feasible_groups(problem))
            break
        state.merge(group, other)
    while state.count < problem.min_groups:
        inner = np.where(state.members[state.labels] > 1, state.attachment(), np.inf)
        state.move(int(np.argmin(inner)), state.empty_slot())
    labels = renumber(state.labels)
    assert problem.is_feasible(labels)
    return labels


def improve(problem: Problem, labels: np.ndarray) -> np.ndarray:
    """A partition at least as good as the given one, which no single change improves.

    Args:
        problem: the problem to solve.
        labels: (U,) groups that satisfy the limits.

    Returns:
        (U,) labels that satisfy the limits.
    """
    labels = renumber(labels)
    if len(problem) < 2:
        return labels
    groups = int(labels.max()) + 1
    chains = min(CHAINS, int(WORK // (len(problem) ** 2 * (groups + 1))) + 1)
    swaps = min(CHAINS, int(WORK // len(problem) ** 2) + 1)
    while True:
        state = GroupState(problem, labels)
        _move_and_merge(state)
        labels = renumber(state.labels)
        if chains > 0:
            chains -= 1
            chained = _chain(GroupState(problem, labels))
            if (chained != labels).any():
                labels = chained
                continue
        state = GroupState(problem, labels)
        if swaps > 0 and _swap_all(state):
            swaps -= 1
            labels = renumber(state.labels)
            continue
        return labels


def iterated_local_search(problem: Problem, labels: np.ndarray, seed: int = 0) -> np.ndarray:
    """A partition at least as good as the given one.

    Args:
        problem: the problem to solve.
        labels: (U,) groups that satisfy the limits.
        seed: of the random moves.
    """
    count = len(problem)
    if count < 3:
        return labels
    rng = python_stream("grouping", "shaking", seed)
    best, score = renumber(labels), problem.score(labels)
    for _ in range(min(PERTURBATIONS, int(WORK // (10 * count**2 * (best.max() + 2))))):
        state = GroupState(problem, best)
        _perturb(state, rng)
        _move_and_merge(state)
        reached = problem.score(state.labels)
        if reached >= score:
            best, score = renumber(state.labels), reached
    return best


def _perturb(state: GroupState, rng: random.Random) -> None:
    """Moves some units to random groups with room for them."""
    count = len(state.labels)
    for unit in rng.sample(range(count), min(count, max(3, int(PERTURBED * count)))):
        allowed = np.flatnonzero(np.isfinite(state.move_gains(unit)))
        if len(allowed):
            state.move(unit, int(rng.choice(allowed.tolist())))


def _move_and_merge(state: GroupState) -> None:
    """Moves and mergers until neither helps."""
    while _move_all(state) or _merge_all(state):
        pass


def _move_all(state: GroupState) -> bool:
    """Moves each unit to where it gains most, repeatedly; whether anything moved."""
    moved = False
    for _ in range(SWEEPS):
        settled = True
        for unit in range(len(state.labels)):
            gains = state.move_gains(unit)
            target = int(np.argmax(gains))
            if gains[target] > 0:
                state.move(unit, target)
                settled, moved = False, True
        if settled:
            break
    return moved


def _merge_all(state: GroupState) -> bool:
    """Merges the two groups that gain most, repeatedly, also at no gain: fewer groups are better."""
    merged = False
    while state.count > state.problem.min_groups:
        gain, group, other = state.best_merger()
        if gain < 0:
            break
        state.merge(group, other)
        merged = True
    return merged


def _chain(state: GroupState) -> np.ndarray:
    """(U,) the labels of the best state along one chain of moves, or those from before it; uses up the state."""
    before = state.labels.copy()
    free = np.ones(len(state.labels), dtype=bool)
    gained, best, best_labels = 0.0, 0.0, None
    while free.any():
        gains = state.all_move_gains(free)
        unit, target = np.unravel_index(np.argmax(gains), gains.shape)
        if not np.isfinite(gains[unit, target]):
            break
        gained += gains[unit, target]
        state.move(int(unit), int(target))
        free[unit] = False
        if gained > best:
            best, best_labels = gained, state.labels.copy()
    return before if best_labels is None else renumber(best_labels)


def _swap_all(state: GroupState) -> bool:
    """Swaps each unit with the one of another group that gains most, where limits may have prevented a move."""
    if state.problem.groups_are_free and state.problem.count_is_free:
        return False
    swapped = False
    for unit in range(len(state.labels)):
        gains = state.swap_gains(unit)
        other = int(np.argmax(gains))
        if gains[other] > 0:
            own, target = int(state.labels[unit]), int(state.labels[other])
            state.move(other, own)
            state.move(unit, target)
            swapped = True
    return swapped
