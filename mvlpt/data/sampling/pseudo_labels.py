"""Pseudo-labels: which unlabelled images train a prompt, under which labels and in how many rounds.

Menghini et al., Enhancing CLIP with CLIP: Exploring Pseudolabeling for Limited-Label Prompt Tuning (NeurIPS 2023, arXiv
2306.01669), section 3.2. Everything here is a pure function of arrays and numbers.

Shapes: N images, K classes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mvlpt.data.datum import Datum
from mvlpt.errors import ConfigError, suggest

PSEUDO_LABEL_METHODS = ("none", "fpl", "ifpl", "grip")


@dataclass(frozen=True)
class PseudoLabelOptions:
    """How unlabelled images get labels.

    Attributes:
        method: ``fpl`` labels once, by the zero-shot model; ``ifpl`` labels anew before each further round, by the
            tuned prompt; ``grip`` does so, too, and takes more images in each round, in the last one all; ``none``
            leaves unlabelled images out.
        per_class: images that a class gets under ``fpl`` and ``ifpl``.
        rounds: rounds of labelling and training of ``ifpl`` and ``grip``.

    Raises:
        ConfigError: there is no such method.
    """

    method: str = "none"
    per_class: int = 16
    rounds: int = 10

    def __post_init__(self) -> None:
        if self.method not in PSEUDO_LABEL_METHODS:
            known = suggest(self.method, PSEUDO_LABEL_METHODS)
            raise ConfigError(f"DATASET.PSEUDO_LABELS.METHOD is '{self.method}'{known}")

    @classmethod
    def of(cls, cfg: Any) -> PseudoLabelOptions:
        """Those of a run's config; the defaults where it does not know them."""
        node = cfg.DATASET.get("PSEUDO_LABELS")
        return cls() if node is None else cls(node.METHOD, node.PER_CLASS, node.ROUNDS)

    @property
    def used(self) -> bool:
        """Whether unlabelled images take part."""
        return self.method != "none"

    @property
    def num_rounds(self) -> int:
        """Rounds of training; in each the prompt starts anew."""
        return self.rounds if self.method in ("ifpl", "grip") else 1

    def per_class_in(self, round: int, images: int, classes: int) -> int:
        """Images that a class gets in a round.

        GRIP's number grows by the same step in each round, up to ``images / classes``, rounded down: it takes classes
        to be of about one size.

        Args:
            round: from 0.
            images: unlabelled images of the task.
            classes: of the task.
        """
        if self.method != "grip":
            return self.per_class
        return max(1, (round + 1) * images // (self.rounds * classes))


def labelled_repeats(labelled: int, chosen: int) -> int:
    """How often labelled images are repeated, so that in the loss they weigh about as much as the chosen ones."""
    return max(1, chosen // labelled) if labelled else 0


def round_sizes(
    options: PseudoLabelOptions, unlabelled: Sequence[int], classes: Sequence[int], labelled: Sequence[int]
) -> list[list[int]]:
    """Training images of each task in each round, repeated ones counted as often as they come.

    Args:
        options: of the rounds.
        unlabelled, classes, labelled: unlabelled images, classes and labelled images of each task.
    """
    rounds = []
    for round in range(options.num_rounds):
        chosen = [
            min(images, own * options.per_class_in(round, images, own))
            for images, own in zip(unlabelled, classes, strict=True)
        ]
        repeats = labelled_repeats(sum(labelled), sum(chosen))
        rounds.append([count + repeats * own for count, own in zip(chosen, labelled, strict=True)])
    return rounds


def assign_labels(probability: np.ndarray, per_class: int) -> tuple[np.ndarray, np.ndarray]:
    """Gives each class its most probable images, at most one class to an image.

    The pairs of an image and a class are gone through in the order of their probability, the highest first; a pair is
    taken if the image has no label yet and the class has fewer than ``per_class`` images. So every class gets its
    number where there are enough images, also a class that is nowhere the most probable one. Of equal pairs the first
    image, then the first class counts. The paper's code fills the same lists image by image, so that they depend on
    the order of files and an image may be in several.

    It is computed as a stable matching: each image asks its most probable class, which keeps the best and sends the
    others to their next one.

    Args:
        probability: (N, K) of each class for each image; NaN in the rows of images that cannot be read.
        per_class: most images of a class.

    Returns:
        Indices of the images that got a label, ascending, and their labels, both (M,), int64.
    """
    images, classes = probability.shape
    score = np.where(np.isnan(probability), -np.inf, probability.astype(np.float64))
    refused = np.isneginf(score)
    owner = np.full(images, -1, dtype=np.int64)
    bar = np.full(classes, -np.inf)  # what a full class asks for at least
    free = np.arange(images)
    while len(free):
        offers = np.where(refused[free] | (score[free] < bar), -np.inf, score[free])
        best = offers.argmax(axis=1)
        found = np.isfinite(offers[np.arange(len(free)), best])
        owner[free[found]] = best[found]
        sent_on = [np.empty(0, dtype=np.int64)]
        for label in np.unique(best[found]):
            members = np.flatnonzero(owner == label)
            if len(members) < per_class:
                continue
            order = members[np.argsort(-score[members, label], kind="stable")]
            bar[label] = score[order[per_class - 1], label]
            owner[order[per_class:]] = -1
            refused[order[per_class:], label] = True
            sent_on.append(order[per_class:])
        free = np.sort(np.concatenate(sent_on))
    index = np.flatnonzero(owner >= 0)
    return index, owner[index]


def without_labels(items: Iterable[Datum]) -> list[Datum]:
    """The same images without their labels: each has label 0 and no class name."""
    return [Datum(item.impath, 0, item.domain) for item in items]


def left_out(items: Iterable[Datum], chosen: Iterable[Datum]) -> list[Datum]:
    """The items that are not among the chosen ones, in their order; both are the same objects."""
    taken = {id(item) for item in chosen}
    return [item for item in items if id(item) not in taken]
