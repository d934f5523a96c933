"""The sample of the paper's multitask runs: drawn once over the concatenation of all tasks, not task by task."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from mvlpt.data.datum import Datum, labels_of
from mvlpt.data.sampling.fewshot import stream_seed, warn_small_classes
from mvlpt.data.sampling.protocols import elevater_sample, mvlpt_split

TRAIN_RATIO = 0.8


def joint_sample(members: Sequence[Any], shots: int, seed: int, *, merge_val: bool = False) -> list[Any]:
    """Samples and splits the training images of several tasks together, by the rules of MVLPT's multitask loader.

    The tasks are sorted by name, their classes are numbered consecutively, and one shuffle and walk draws ``shots`` a
    class from all images. A second shuffle then splits a fifth off as val. A task's sample thus depends on the other
    tasks, but not on their order in the config. With one shot there is no val.

    Args:
        members: data sets with their whole training split.
        shots: images a class; below 1 all.
        seed: the run's seed; a negative one counts as 0.
        merge_val: split nothing off.

    Returns:
        Copies of the members with the new train and val splits, in the order given.
    """
    ordered = sorted(members, key=_name)
    pool: list[tuple[int, Datum]] = []
    labels: list[tuple[int, ...]] = []
    start = 0
    for number, member in enumerate(ordered):
        train = member.train_x or []
        if shots >= 1:
            names = dict(enumerate(member.classnames))
            warn_small_classes([item.label for item in train], shots, task=_name(member), split="train", names=names)
        pool += [(number, item) for item in train]
        labels += [tuple(start + label for label in labels_of(item)) for item in train]
        start += member.num_classes
    seed = stream_seed(seed)
    sample = elevater_sample(labels, start, shots, seed)
    cut = mvlpt_split([labels[index] for index in sample], start, TRAIN_RATIO, seed)
    chosen = {"train": list(range(len(sample))) if merge_val else cut.train, "val": [] if merge_val else cut.val}
    splits: dict[str, list[list[Datum]]] = {split: [[] for _ in ordered] for split in chosen}
    for split, indices in chosen.items():
        for index in indices:
            number, item = pool[sample[index]]
            splits[split][number].append(item)
    replaced = {}
    for number, member in enumerate(ordered):
        changed = copy.copy(member)
        changed._train_x, changed._val = splits["train"][number], splits["val"][number]
        replaced[_name(member)] = changed
    return [replaced[_name(member)] for member in members]


def _name(member: Any) -> str:
    return getattr(member, "name", "") or type(member).__name__
