"""What is compared: a trainer in an arm, at a number of shots."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mvlpt.arms import ARMS, adapts, arm_label, arm_order

VARIANT = "variant"  # an extra key of a row: see :attr:`Method.variant`
HALVES = ("base", "new")  # arms whose scores are about half of a task's classes, and compare with none of others
PER_GROUP = tuple(arm.name for arm in ARMS.values() if arm.per_group)


@dataclass(frozen=True)
class Method:
    """What is compared: a trainer, how it shares prompts, and how many images it sees.

    Attributes:
        trainer: its name, such as ``MVLPT-VPT``.
        arm: ``zero_shot``, ``single``, ``all``, ``grouped``, ... as in the rows.
        shots: training images per class; 0 without training.
        group: the group or source that a prompt was trained on, where these are separated; in an arm that adapts, the
            arm that it starts from; else empty.
        variant: the options that tell it apart from runs that are the same otherwise, such as ``OPTIM.LR 0.01``.
    """

    trainer: str
    arm: str
    shots: int
    group: str = ""
    variant: str = ""

    @classmethod
    def of(cls, row: Mapping[str, Any], split_groups: bool = False) -> Method:
        """The method of a row; ``split_groups`` separates the groups of every arm, not only of :data:`PER_GROUP`."""
        separate = split_groups or row["arm"] in PER_GROUP
        group = (row["group"] or "") if separate else ""
        return cls(row["trainer"], row["arm"], row["shots"], group, row.get(VARIANT, ""))

    @property
    def zero_shot(self) -> bool:
        """Whether nothing was trained, and all classes are tested."""
        return self.arm == "zero_shot"

    @property
    def untrained(self) -> bool:
        """Whether it is zero-shot, on all classes or on half of them."""
        return self.zero_shot or bool(self.half and not self.shots)

    @property
    def half(self) -> str:
        """The half of a task's classes that scores are about, ``base`` or ``new``; empty for all of them."""
        return self.arm if self.arm in HALVES else ""

    @property
    def start(self) -> str:
        """The arm whose prompts an arm that adapts starts from; empty for other arms."""
        return self.group if adapts(self.arm) else ""

    @property
    def words(self) -> tuple[str, ...]:
        """The parts of its name without the shots, for the lines of a heading."""
        group = "" if self.start else self.group
        return tuple(filter(None, (self.trainer, arm_label(self.arm, self.start), group, self.variant)))

    @property
    def shots_word(self) -> str:
        """See :func:`shots_word`."""
        return shots_word(self.shots)

    def __str__(self) -> str:
        return " ".join(self.words if self.untrained else (*self.words, self.shots_word))

    @property
    def order(self) -> tuple[Any, ...]:
        """Sorts zero-shot first, then trainers, shots and arms, the arms as :data:`mvlpt.arms.ARMS` does."""
        return (not self.zero_shot, self.trainer, self.shots, *arm_order(self.arm), _natural(self.group), self.variant)


def shots_word(shots: int) -> str:
    """``1-shot``, or ``all images`` for -1."""
    return "all images" if shots == -1 else f"{shots}-shot"


def images_word(shots: int) -> str:
    """The number of training images a class, or ``all`` for -1."""
    return "all" if shots == -1 else str(shots)


def _natural(name: str) -> tuple[Any, ...]:
    """Sorts ``g2`` before ``g10``."""
    head = name.rstrip("0123456789")
    return (head, int(name[len(head) :] or -1))
