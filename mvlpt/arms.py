"""The arms of an experiment: the ways in which tasks share prompts, each declared once.

Configurations check ``RUN.ARM`` against this table, experiments their ``arms``, and tables of results take names and
order from it. A function in :mod:`mvlpt.experiment.arms`, registered under the same name, makes the runs of an arm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Arm:
    """One way to share prompts.

    Attributes:
        name: in experiment files, ``RUN.ARM`` and results.
        label: in tables.
        help: what is tuned, as part of a sentence.
        selectable: an experiment file may list it under ``arms``.
        in_results: a run may have it as its ``RUN.ARM``.
        several_tasks: it needs at least two tasks.
        grouped: its runs follow groups of tasks, which are picked first.
        transfers: it adapts prompts of source tasks to target tasks.
        per_group: a task has a score for each group or source, not one for each seed.
        adapts: it goes on from the prompts of other arms, and ``RUN.GROUP`` is the arm that it starts from.
        auxiliary: its scores serve other runs; tables show them only on request.
    """

    name: str
    label: str
    help: str
    selectable: bool = True
    in_results: bool = True
    several_tasks: bool = False
    grouped: bool = False
    transfers: bool = False
    per_group: bool = False
    adapts: bool = False
    auxiliary: bool = False


_TABLE = (
    Arm("zero_shot", "zero-shot", "the untrained model", selectable=False),
    Arm("single", "single-task", "one prompt for each task"),
    Arm("all", "all-together", "one prompt for all tasks"),
    Arm("grouped", "grouped", "one prompt for each group of tasks", several_tasks=True, grouped=True),
    Arm(
        "adapted",
        "adapted",
        "the prompt of all tasks or of a task's group, adapted to each task",
        several_tasks=True,
        per_group=True,
        adapts=True,
    ),
    Arm(
        "chosen",
        "chosen",
        "what serves each task best by the folds of its training images: alone, all, a group, or adapted",
        several_tasks=True,
        grouped=True,
    ),
    Arm("pair", "pair", "one prompt for each pair of tasks", several_tasks=True, per_group=True, auxiliary=True),
    Arm("source", "source", "prompts of source tasks", selectable=False, in_results=False, auxiliary=True),
    Arm("transfer", "transfer", "source prompts adapted to each target task", transfers=True, per_group=True),
    Arm(
        "cross_dataset",
        "cross-dataset",
        "source prompts on each target task as they are",
        transfers=True,
        per_group=True,
    ),
    Arm(
        "base_to_new",
        "base to new",
        "one prompt for half of each task's classes (base), tested on these and on the other half (new)",
        in_results=False,
    ),
    Arm("base", "base classes", "one prompt for half of each task's classes", selectable=False),
    Arm("new", "new classes", "the same prompt on the other half, which it never saw", selectable=False),
    Arm("evaluated", "evaluated", "a tuned prompt, evaluated by a run of its own", selectable=False),
)
ARMS: Mapping[str, Arm] = MappingProxyType({arm.name: arm for arm in _TABLE})
"""Every arm by name, in the order of tables."""
PROTOCOLS = ("base_to_new", "cross_dataset")
"""What an experiment file may name as its ``protocol`` instead of listing arms."""
ADAPT_FROM = ("all", "grouped")
"""The arms whose prompts the arm ``adapted`` may start from."""


def arm_label(name: str, start: str = "") -> str:
    """The name of an arm in tables, such as ``all-together → adapted``; that of an unknown arm is its own.

    Args:
        name: of the arm.
        start: for an arm that adapts, the arm that it starts from.
    """
    label = ARMS[name].label if name in ARMS else name
    return f"{arm_label(start)} → {label}" if start else label


def adapts(name: str) -> bool:
    """Whether an arm goes on from the prompts of other arms."""
    return name in ARMS and ARMS[name].adapts


def arm_order(name: str) -> tuple[int, str]:
    """Sorts arms as the table does, and unknown ones after them by name."""
    return (list(ARMS).index(name) if name in ARMS else len(ARMS), name)
