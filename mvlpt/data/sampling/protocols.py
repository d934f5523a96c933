"""Sampling rules as pure functions of labels: no files and no global generator.

They follow the written rules of the benchmarks (ELEVATER's toolkit, MVLPT's multitask loader, CoOp); vectors recorded
from the original programs are in ``tests/data/golden``. ``labels`` is a tuple of class ids per image here; an
empty tuple is an image without labels.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from mvlpt.data.datum import Label


class SplitIndices(NamedTuple):
    """Indices of the training and of the validation images."""

    train: list[int]
    val: list[int]


def select_fewshot(labels: Sequence[Label], shots: int, rng: random.Random, *, repeat: bool = False) -> list[int]:
    """Draws ``shots`` images of each class.

    Classes come in the order of their first image; a class with fewer images contributes all of them in
    order, or with ``repeat`` is sampled with replacement. Multi-label images are drawn by :func:`elevater_walk` on a
    shuffled list, which keeps the classes as balanced as their overlaps allow.

    Args:
        labels: an int, or a tuple of ints, per image.
        shots: images a class, at least 1.
        rng: the stream to draw from.
    """
    if any(isinstance(label, tuple) for label in labels):
        tuples = [label if isinstance(label, tuple) else (label,) for label in labels]
        order = list(range(len(tuples)))
        rng.shuffle(order)
        return elevater_walk(tuples, order, 1 + max((max(label) for label in tuples if label), default=-1), shots)
    members: dict[int, list[int]] = defaultdict(list)
    for position, label in enumerate(labels):
        members[label].append(position)
    chosen: list[int] = []
    for positions in members.values():
        if len(positions) >= shots:
            chosen += rng.sample(positions, shots)
        else:
            chosen += rng.choices(positions, k=shots) if repeat else positions
    return chosen


def elevater_sample(labels: Sequence[tuple[int, ...]], num_classes: int, shots: int, seed: int) -> list[int]:
    """The toolkit's few-shot subset: shuffle by ``random.Random(seed)``, then walk once. All images if shots < 1."""
    order = list(range(len(labels)))
    if shots < 1:
        return order
    random.Random(seed).shuffle(order)
    return elevater_walk(labels, order, num_classes, shots)


def elevater_walk(labels: Sequence[tuple[int, ...]], order: Sequence[int], num_classes: int, shots: int) -> list[int]:
    """Walks ``order`` and takes images until every class has ``shots``, skipping those that would overfill a class.

    With ``low`` and ``high`` the smallest and largest count among an image's classes, it is taken when ``low < shots``
    and (``low <= shots / 2`` or ``high <= 1.5 shots``). Of images without labels the first ``shots`` are taken.
    """
    counts = [0] * num_classes
    lacking = num_classes  # classes with fewer than ``shots``
    unlabelled = 0
    taken: list[int] = []
    for position in order:
        label = labels[position]
        if not label:
            if unlabelled < shots:
                unlabelled += 1
                taken.append(position)
            continue
        low, high = min(counts[one] for one in label), max(counts[one] for one in label)
        if low < shots and (2 * low <= shots or 2 * high <= 3 * shots):
            taken.append(position)
            for one in label:
                counts[one] += 1
                lacking -= counts[one] == shots
            if not lacking:
                break
    return taken


def elevater_split(labels: Sequence[tuple[int, ...]], num_classes: int) -> SplitIndices:
    """The toolkit's fixed validation fifth: the first images of each class, rounded up, nothing random.

    An image with several labels counts for all of them; images without labels stay in train.
    """
    members: list[list[int]] = [[] for _ in range(num_classes)]
    for position, label in enumerate(labels):
        for one in label:
            members[one].append(position)
    need = [-(-len(positions) // 5) for positions in members]
    val: set[int] = set()
    for one, positions in enumerate(members):
        for position in positions:
            if need[one] <= 0:
                break
            if position not in val:
                val.add(position)
                for other in labels[position]:
                    need[other] -= 1
    return SplitIndices([p for p in range(len(labels)) if p not in val], sorted(val))


def mvlpt_split(labels: Sequence[tuple[int, ...]], num_classes: int, train_ratio: float, seed: int) -> SplitIndices:
    """MVLPT's multitask split: shuffle by ``random.Random(seed)``, then keep the ratio within each class.

    An image goes to val where its rarest class in val has less than ``r`` times what its rarest class has in train
    (``r = (1 - train_ratio) / train_ratio``), or as much and fewer in sum; otherwise to train.
    """
    order = list(range(len(labels)))
    random.Random(seed).shuffle(order)
    if int(train_ratio * len(order)) == 0:
        return SplitIndices([], order)
    ratio = (1 - train_ratio) / train_ratio
    in_train, in_val = [0] * num_classes, [0] * num_classes
    plain_train = plain_val = 0
    split = SplitIndices([], [])
    for position in order:
        label = labels[position]
        if not label:
            if plain_train and plain_val / plain_train < ratio:
                plain_val += 1
                split.val.append(position)
            else:
                plain_train += 1
                split.train.append(position)
            continue
        low_train, low_val = min(in_train[one] for one in label), min(in_val[one] for one in label)
        sum_train, sum_val = sum(in_train[one] for one in label), sum(in_val[one] for one in label)
        to_val = low_val < ratio * low_train or (low_val == ratio * low_train and sum_val < ratio * sum_train)
        (split.val if to_val else split.train).append(position)
        for one in label:
            (in_val if to_val else in_train)[one] += 1
    return split
