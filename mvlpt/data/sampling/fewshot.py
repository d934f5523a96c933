"""Few-shot samples: the images of a task that a run trains and validates on.

Every function is pure: labels and a named random stream in, indices out. The default protocol, ``independent``, draws
from the stream ``("few-shot", task, split, shots, seed)``, so a task's sample depends only on these four.
"""

from __future__ import annotations

import logging
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mvlpt.data.datum import Datum, Label, labels_of
from mvlpt.data.sampling.protocols import elevater_sample, elevater_split, mvlpt_split, select_fewshot
from mvlpt.errors import ConfigError, suggest
from mvlpt.randomness import python_stream

logger = logging.getLogger(__name__)

PROTOCOLS = ("independent", "elevater", "mvlpt", "coop")
MAX_VAL_SHOTS = 4


class FewShotSplit(NamedTuple):
    """Training and validation images of one task, and the protocol that chose them."""

    train: list[Datum]
    val: list[Datum]
    protocol: str


def stream_seed(seed: int) -> int:
    """The seed in the names of streams: ``SEED`` itself, or 0 if ``SEED`` is negative (Dassl's "no seed")."""
    return max(int(seed), 0)


def few_shot_indices(
    labels: Sequence[Label],
    *,
    task: str,
    split: str,
    shots: int,
    seed: int,
    repeat: bool = False,
    names: Mapping[int, str] | None = None,
) -> list[int]:
    """The default protocol's sample of one split.

    Args:
        labels: label of every image, in the split's order.
        task, split, shots, seed: name the random stream.
        repeat: draw images of small classes several times, so that each class has exactly ``shots``.
        names: of the classes by label, for the warning.

    Returns:
        Indices into ``labels``, class by class; all indices if ``shots`` is below 1. A class with fewer images than
        ``shots`` contributes all of them, and a warning is logged.
    """
    if shots < 1:
        return list(range(len(labels)))
    if not repeat:
        warn_small_classes(labels, shots, task=task, split=split, names=names)
    rng = python_stream("few-shot", task, split, shots, stream_seed(seed))
    return select_fewshot(labels, shots, rng, repeat=repeat)


def warn_small_classes(
    labels: Sequence[Label], shots: int, *, task: str, split: str, names: Mapping[int, str] | None = None
) -> None:
    """Logs one warning that names the classes with fewer images than shots.

    Args:
        labels: label of every image.
        shots: images a class.
        task, split: for the message.
        names: of the classes by label, where they are known.
    """
    counts: dict[int, int] = defaultdict(int)
    for label in labels:
        for one in label if isinstance(label, tuple) else (label,):
            counts[one] += 1
    small = sorted(one for one, count in counts.items() if count < shots)
    if small:
        known = names or {}
        listed = ", ".join(known.get(one) or f"class {one}" for one in small[:5]) + (", ..." if len(small) > 5 else "")
        logger.warning(
            "%s: %d of %d classes have fewer than %d %s images (%s); all of their images are used",
            *(task, len(small), len(counts), shots, split, listed),
        )


def few_shot_split(
    train: Sequence[Datum],
    val: Sequence[Datum] | None,
    *,
    protocol: str = "independent",
    task: str,
    num_classes: int,
    shots: int,
    seed: int,
    merge_val: bool = False,
) -> FewShotSplit:
    """Chooses a task's training and validation images by one of the protocols.

    ``independent``: ``shots`` a class from train and ``min(shots, 4)`` a class from val, each from its own stream.
    ``coop``: the same numbers from one generator seeded with ``seed``, train before val, as CoOp run on one data set.
    ``elevater``: the toolkit's sample of train, a fifth of it split off as val; the official val split is not used. One
    shot samples two, one of which is val, as its commands do.
    ``mvlpt``: as ``elevater``, but one shot trains and validates on the same images.

    Args:
        train, val: the official splits; ``val`` may be ``None`` or empty.
        task: the task's name, part of the stream's name.
        num_classes: number of the task's classes.
        shots: images a class; below 1 all images.
        seed: the run's seed; a negative one counts as 0.
        merge_val: return the fifth that ``elevater`` or ``mvlpt`` split off to train, as the toolkit's final run
            does; val is then empty. One shot is not affected, since the toolkit does not merge there.

    Returns:
        New lists; the given ones are not changed.

    Raises:
        ConfigError: there is no such protocol, or ``merge_val`` is used with one that splits nothing off.
    """
    if protocol not in PROTOCOLS:
        raise ConfigError(f"DATASET.SAMPLING is '{protocol}'{suggest(protocol, PROTOCOLS)}")
    if merge_val and protocol not in ("elevater", "mvlpt"):
        raise ConfigError(f"DATASET.MERGE_VAL needs DATASET.SAMPLING elevater or mvlpt; SAMPLING is '{protocol}'")
    train, val = list(train), list(val or [])
    train_labels, val_labels = [item.label for item in train], [item.label for item in val]
    val_shots = min(shots, MAX_VAL_SHOTS)
    names = {item.label: item.classname for item in train if not isinstance(item.label, tuple)}
    if protocol in ("elevater", "mvlpt"):
        drawn = 2 if protocol == "elevater" and shots == 1 else shots
        order = elevater_sample([labels_of(item) for item in train], num_classes, drawn, stream_seed(seed))
        warn_small_classes(train_labels, drawn, task=task, split="train", names=names)
        sample = [train[index] for index in order]
        if merge_val and shots != 1:
            return FewShotSplit(sample, [], protocol)
        if protocol == "mvlpt" and shots == 1:
            return FewShotSplit(sample, list(sample), protocol)
        indices = elevater_split([labels_of(item) for item in sample], num_classes)
        return FewShotSplit([sample[i] for i in indices.train], [sample[i] for i in indices.val], protocol)
    if shots < 1:
        return FewShotSplit(train, val, protocol)
    if protocol == "coop":
        rng = random.Random(stream_seed(seed))
        warn_small_classes(train_labels, shots, task=task, split="train", names=names)
        chosen = select_fewshot(train_labels, shots, rng), select_fewshot(val_labels, val_shots, rng)
    else:
        chosen = (
            few_shot_indices(train_labels, task=task, split="train", shots=shots, seed=seed, names=names),
            few_shot_indices(val_labels, task=task, split="val", shots=val_shots, seed=seed, names=names),
        )
    return FewShotSplit([train[i] for i in chosen[0]], [val[i] for i in chosen[1]], protocol)


__all__ = [
    "MAX_VAL_SHOTS",
    "PROTOCOLS",
    "FewShotSplit",
    "elevater_sample",
    "elevater_split",
    "few_shot_indices",
    "few_shot_split",
    "mvlpt_split",
    "select_fewshot",
    "stream_seed",
]
