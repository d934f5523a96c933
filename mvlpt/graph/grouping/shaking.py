"""Iterated local search (Lourenço, Martin and Stützle, 2003): disturb groups a little, improve them, keep the better.

Shapes: B blocks.
"""

from __future__ import annotations

import random

import numpy as np

from mvlpt.graph.grouping.blocks import Problem, numbered
from mvlpt.graph.grouping.group_state import GroupState
from mvlpt.graph.grouping.local_search import merge_all, move_all, move_gains
from mvlpt.randomness import python_stream

ROUNDS = 100
WORK = 2e8  # sums of a block and a group that all rounds may look at, about
SHAKEN = 0.1  # of the blocks, at least three


def shake(problem: Problem, labels: np.ndarray, seed: int = 0) -> np.ndarray:
    """A partition at least as good as a given one that keeps to the limits.

    The number of rounds follows from the size of the problem, not from a clock, so the answer is the same everywhere.

    Args:
        problem: what is to be solved.
        labels: (B,) groups that keep to the limits.
        seed: of the random moves.
    """
    number = len(problem)
    if number < 3:
        return labels
    rng = python_stream("grouping", "shaking", seed)
    best, score = numbered(labels), problem.score(labels)
    for _ in range(min(ROUNDS, int(WORK // (10 * number**2 * (best.max() + 2))))):
        state = GroupState(problem, best)
        _disturb(state, rng)
        while move_all(state) or merge_all(state):
            pass
        reached = problem.score(state.labels)
        if reached >= score:
            best, score = numbered(state.labels), reached
    return best


def _disturb(state: GroupState, rng: random.Random) -> None:
    """Moves some blocks to any group that may hold them."""
    number = len(state.labels)
    for block in rng.sample(range(number), min(number, max(3, int(SHAKEN * number)))):
        allowed = np.flatnonzero(np.isfinite(move_gains(state, block)))
        if len(allowed):
            state.move(block, int(rng.choice(allowed.tolist())))
            state.keep_vacant()
