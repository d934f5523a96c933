"""Groups that keep to the limits, whatever they are worth: made from any groups, or proved not to exist.

Shapes: B blocks, G groups.
"""

from __future__ import annotations

import numpy as np

from mvlpt.errors import GraphError
from mvlpt.graph.grouping.blocks import Problem, numbered
from mvlpt.graph.grouping.group_state import GroupState

SEARCHED = 400  # pairs of a block and a group up to which an integer program decides; beyond it has a time limit
PATIENCE = 20.0  # seconds


def repair(problem: Problem, labels: np.ndarray) -> np.ndarray:
    """The nearest groups that keep to the limits, by rule: eject, place again, merge, split.

    Raises:
        GraphError: there are none, or none were found.
    """
    state = GroupState(problem, numbered(labels))
    _eject(state)
    _merge_down(state)
    if state.number > problem.most:
        state = GroupState(problem, packed(problem))
    _split_up(state)
    labels = numbered(state.labels)
    assert problem.allows(labels)
    return labels


def _eject(state: GroupState) -> None:
    """Moves blocks that break a limit of their group, the least attached first, to where they fit best."""
    for block in np.argsort(state.attachment(), kind="stable"):
        own = state.labels[block]
        if state.keeps(own):
            continue
        helps = state.problem.apart[block][state.labels == own].any() or state.overfull(own)
        if helps and state.members[own] > 1:
            room = state.rooms(block)
            room[own] = False
            gain = np.where(room, state.sums[block], -np.inf)
            target = int(np.argmax(gain))
            state.move(block, target if np.isfinite(gain[target]) and gain[target] >= 0 else state.empty())


def _merge_down(state: GroupState) -> None:
    """Merges groups, the best pair first, until there are not too many."""
    while state.number > state.problem.most:
        pair = state.best_merge()
        if pair is None:
            return
        state.merge(*pair)


def _split_up(state: GroupState) -> None:
    """Takes the least attached block out of its group until there are enough groups."""
    while state.number < state.problem.fewest:
        inner = np.where(state.members[state.labels] > 1, state.attachment(), np.inf)
        state.move(int(np.argmin(inner)), state.empty())


def packed(problem: Problem) -> np.ndarray:
    """Any groups that are not too many: by placing the hardest block first, or else by an integer program.

    Raises:
        GraphError: there are none, or none were found in time.
    """
    labels = _first_fit(problem)
    if labels is None:
        labels = _pack_exactly(problem)
    return labels


def _first_fit(problem: Problem) -> np.ndarray | None:
    """Places the block with the fewest groups open to it, then the largest, into the fullest of these (DSATUR)."""
    labels = np.full(len(problem), -1)
    size, classes = np.zeros(problem.most), np.zeros(problem.most)
    shut = np.zeros((len(problem), problem.most), dtype=bool)
    for _ in range(len(problem)):
        room = ~shut & (size + problem.sizes[:, None] <= problem.max_size)
        room &= classes + problem.classes[:, None] <= problem.max_classes
        keys = np.lexsort((-problem.apart.sum(axis=1), -problem.sizes, -problem.classes, room.sum(axis=1)))
        block = next(int(key) for key in keys if labels[key] < 0)
        if not room[block].any():
            return None
        target = int(np.argmax(np.where(room[block], size + classes / max(classes.sum(), 1.0), -1.0)))
        labels[block] = target
        size[target] += problem.sizes[block]
        classes[target] += problem.classes[block]
        shut[problem.apart[block], target] = True
    return labels


def _pack_exactly(problem: Problem) -> np.ndarray:
    """Groups from an integer program over (block, group): the block is in the group.

    Raises:
        GraphError: no groups keep to all limits together, or none were found in time.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import block_array, csr_array, eye_array, kron

    number, most = len(problem), problem.most
    each = kron(eye_array(number), csr_array(np.ones((1, most))))
    rows, lower, upper = [each], [np.ones(number)], [np.ones(number)]
    for amounts, limit in ((problem.sizes, problem.max_size), (problem.classes, problem.max_classes)):
        if np.isfinite(limit):
            rows.append(kron(csr_array(amounts[None, :]), eye_array(most)))
            lower.append(np.full(most, -np.inf))
            upper.append(np.full(most, limit))
    first, second = np.nonzero(np.triu(problem.apart))
    if len(first):
        pairs = np.zeros((len(first), number))
        pairs[np.arange(len(first)), first] = pairs[np.arange(len(first)), second] = 1.0
        rows.append(kron(csr_array(pairs), eye_array(most)))
        lower.append(np.full(len(first) * most, -np.inf))
        upper.append(np.ones(len(first) * most))
    possible = np.ones((number, most))  # groups are alike: block b need not go beyond group b
    possible[np.triu_indices(number, 1, most)] = 0.0
    made = milp(
        np.zeros(number * most),
        integrality=np.ones(number * most),
        bounds=Bounds(0.0, possible.ravel()),
        constraints=LinearConstraint(
            block_array([[row] for row in rows]).tocsr(), np.concatenate(lower), np.concatenate(upper)
        ),
        options={} if number * most <= SEARCHED else {"time_limit": PATIENCE},
    )
    limits = _told(problem)
    if made.status == 2:
        raise GraphError(f"{limits} cannot be kept together by {most} groups; allow more groups, or loosen one")
    if made.x is None:
        raise GraphError(
            f"No {most} groups were found that keep to {limits} together; allow more groups, or loosen one"
        )
    return made.x.reshape(number, most).argmax(axis=1)


def _told(problem: Problem) -> str:
    """The limits that are in force, in words."""
    told = ["must_link"] if any(len(block) > 1 for block in problem.members) else []
    told += ["cannot_link"] if problem.apart.any() else []
    told += [f"max_size {problem.max_size:.0f}"] if np.isfinite(problem.max_size) else []
    told += [f"max_classes {problem.max_classes:.0f}"] if np.isfinite(problem.max_classes) else []
    return " and ".join([", ".join(told[:-1]), told[-1]] if len(told) > 1 else told)
