"""Better groups from given ones, by small changes that keep to the limits: what every heuristic ends with.

Four kinds of change alternate until none helps: single moves, mergers, chains of moves, and swaps. A chain (Kernighan
and Lin, 1970) makes the best move of each block once, though it may lose for a while, and keeps the best moment of the
chain; so it splits groups and crosses valleys that single moves do not.

Shapes: B blocks, G groups.
"""

from __future__ import annotations

import numpy as np

from mvlpt.graph.grouping.blocks import Problem, numbered
from mvlpt.graph.grouping.group_state import GroupState

SWEEPS = 50
CHAINS = 20
CHAIN_WORK = 2e8  # sums of a block and a group that chains may look at
SWAP_WORK = 2e8  # pairs that swaps may look at


def improve(problem: Problem, labels: np.ndarray) -> np.ndarray:
    """A partition at least as good as a given one that keeps to the limits; no single change makes it better.

    Args:
        problem: what is to be solved.
        labels: (B,) groups that keep to the limits.

    Returns:
        (B,) labels that keep to the limits.
    """
    if len(problem) < 2:
        return numbered(labels)
    labels = numbered(labels)
    groups = int(labels.max()) + 1
    chains = min(CHAINS, int(CHAIN_WORK // (len(problem) ** 2 * (groups + 1))) + 1)
    swaps = min(CHAINS, int(SWAP_WORK // len(problem) ** 2) + 1)
    while True:
        state = GroupState(problem, labels)
        while move_all(state) or merge_all(state):
            pass
        labels = numbered(state.labels)
        if chains > 0:
            chains -= 1
            chained = chain(GroupState(problem, labels))
            if (chained != labels).any():
                labels = chained
                continue
        state = GroupState(problem, labels)
        if swaps > 0 and swap_all(state):
            swaps -= 1
            labels = numbered(state.labels)
            continue
        return labels


def move_gains(state: GroupState, block: int) -> np.ndarray:
    """(G,) what a block gains by moving to each group; ``-inf`` where that is not allowed."""
    own = state.labels[block]
    alone = state.members[own] == 1
    gains = np.where(state.rooms(block), state.sums[block] - state.sums[block, own], -np.inf)
    vacant = state.members == 0
    if alone or state.number >= state.problem.most:
        gains[vacant] = -np.inf
    if alone and state.number <= state.problem.fewest:
        gains[:] = -np.inf
    gains[own] = -np.inf
    return gains


def move_all(state: GroupState) -> bool:
    """Moves each block to where it gains most, over and over; whether anything moved."""
    moved = False
    for _ in range(SWEEPS):
        quiet = True
        for block in range(len(state.labels)):
            gains = move_gains(state, block)
            target = int(np.argmax(gains))
            if gains[target] > 0:
                state.move(block, target)
                state.keep_vacant()
                quiet, moved = False, True
        if quiet:
            break
    return moved


def merge_all(state: GroupState) -> bool:
    """Merges the two groups that gain most, over and over; two that neither gain nor lose too, for fewer groups."""
    merged = False
    while state.number > state.problem.fewest:
        groups, gains = state.merge_gains()
        i, j = np.unravel_index(np.argmax(gains), gains.shape)
        if not gains[i, j] >= 0:
            break
        state.merge(int(groups[i]), int(groups[j]))
        merged = True
    return merged


def chain(state: GroupState) -> np.ndarray:
    """One chain of moves, which uses the state up; the labels of its best moment, or those from before it."""
    before = state.labels.copy()
    count = len(state.labels)
    free = np.ones(count, dtype=bool)
    gained, best, best_labels = 0.0, 0.0, None
    for _ in range(count):
        gains = _all_targets(state, free)
        block, target = np.unravel_index(np.argmax(gains), gains.shape)
        if not np.isfinite(gains[block, target]):
            break
        gained += gains[block, target]
        state.move(int(block), int(target))
        free[block] = False
        state.keep_vacant()
        if gained > best:
            best, best_labels = gained, state.labels.copy()
    return before if best_labels is None else numbered(best_labels)


def _all_targets(state: GroupState, free: np.ndarray) -> np.ndarray:
    """(B, G) what each free block gains by each move; ``-inf`` where it is not allowed."""
    problem, labels = state.problem, state.labels
    gains = state.sums - state.attachment()[:, None]
    alone = state.members[labels] == 1
    vacant = np.flatnonzero(state.members == 0)
    barred = state.foes > 0 if problem.apart.any() else np.zeros(gains.shape, dtype=bool)
    if np.isfinite(problem.max_size):
        barred |= state.size + problem.sizes[:, None] > problem.max_size
    if np.isfinite(problem.max_classes):
        barred |= state.classes + problem.classes[:, None] > problem.max_classes
    barred[np.arange(len(labels)), labels] = True
    barred[~free] = True
    barred[:, vacant[1:]] = True  # one empty place is enough
    barred[np.ix_(alone, vacant)] = True
    if state.number >= problem.most:
        barred[:, vacant] = True
    if state.number <= problem.fewest:
        barred[alone] = True
    gains[barred] = -np.inf
    return gains


def swap_all(state: GroupState) -> bool:
    """Swaps each block with the one of another group that gains most, where limits may have barred a move."""
    problem, swapped = state.problem, False
    if problem.free and problem.fewest == 1 and problem.most == len(problem):
        return False
    for block in range(len(state.labels)):
        own, labels = state.labels[block], state.labels
        gains = state.sums[block, labels] - state.sums[block, own]
        gains = gains + state.sums[:, own] - state.attachment() - 2 * problem.weights[block]
        barred = labels == own
        for amounts, held, limit in (
            (problem.sizes, state.size, problem.max_size),
            (problem.classes, state.classes, problem.max_classes),
        ):
            barred |= held[labels] - amounts + amounts[block] > limit
            barred |= held[own] - amounts[block] + amounts > limit
        barred |= state.foes[block, labels] - problem.apart[block] > 0
        barred |= state.foes[:, own] - problem.apart[block] > 0
        gains[barred] = -np.inf
        other = int(np.argmax(gains))
        if gains[other] > 0:
            target = int(labels[other])
            state.move(other, int(own))
            state.move(block, target)
            swapped = True
    return swapped
