"""What is compared: a trainer in an arm, at a number of shots."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mvlpt.arms import ARMS, adapts, arm_label, arm_order

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
    """

    trainer: str
    arm: str
    shots: int
    group: str = ""

    @classmethod
    def of(cls, row: Mapping[str, Any], split_groups: bool = False) -> Method:
        """The method of a row; ``split_groups`` separates the groups of every arm, not only of :data:`PER_GROUP`."""
        separate = split_groups or row["arm"] in PER_GROUP
        return cls(row["trainer"], row["arm"], row["shots"], (row["group"] or "") if separate else "")

    @property
    def zero_shot(self) -> bool:
        """Whether nothing was trained."""
        return self.arm == "zero_shot"

    @property
    def start(self) -> str:
        """The arm whose prompts an arm that adapts starts from; empty for other arms."""
        return self.group if adapts(self.arm) else ""

    @property
    def words(self) -> tuple[str, ...]:
        """The parts of its name without the shots, for the lines of a heading."""
        if self.start:
            return (self.trainer, arm_label(self.arm, self.start))
        arm = arm_label(self.arm)
        return (self.trainer, arm, self.group) if self.group else (self.trainer, arm)

    def __str__(self) -> str:
        return " ".join(self.words if self.zero_shot else (*self.words, f"{self.shots}-shot"))

    @property
    def order(self) -> tuple[Any, ...]:
        """Sorts zero-shot first, then trainers, shots and arms, the arms as :data:`mvlpt.arms.ARMS` does."""
        return (not self.zero_shot, self.trainer, self.shots, *arm_order(self.arm), _natural(self.group))


def _natural(name: str) -> tuple[Any, ...]:
    """Sorts ``g2`` before ``g10``."""
    head = name.rstrip("0123456789")
    return (head, int(name[len(head) :] or -1))
