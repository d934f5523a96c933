"""One run of an experiment, and the names of its folder."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mvlpt.engine import own_name
from mvlpt.io import path_part


@dataclass(frozen=True)
class Run:
    """One run of ``mvlpt train``.

    Attributes:
        name: its folder below the experiment's.
        kind: of its job.
        trainer: configuration file.
        arm: as ``RUN.ARM``.
        tasks: which share the prompt.
        shots: images per class; 0 for runs that train nothing.
        seed: of sampling, prompt and order.
        group: as ``RUN.GROUP``; of an adaptation, the source.
        options: overrides of the configuration file.
        serves: where groups overlap, the tasks for which this run's scores count; ``None`` for all.
        start: the prompt that it starts from; ``None`` for a fresh one.
        former_group: what version 0.1.0 called the group, by which jobs keep their ids; ``""`` where that is the same.
    """

    name: str
    kind: str
    trainer: str
    arm: str
    tasks: tuple[str, ...]
    shots: int
    seed: int
    group: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    serves: tuple[str, ...] | None = None
    start: StartPrompt | None = None
    former_group: str = ""


@dataclass(frozen=True, eq=False)
class StartPrompt:
    """The prompt of a run, or the mean of the prompts of several.

    Attributes:
        runs: that tune it.
        source: its name in tables.
        mean_folder: of the mean, below the experiment's folder; unused where there is one run.
    """

    runs: tuple[Run, ...]
    source: str
    mean_folder: str


def shots_name(shots: int) -> str:
    """``5shot``, or ``allshot``."""
    return f"{shots}shot" if shots > 0 else "allshot"


def seeds_name(seeds: Sequence[int]) -> str:
    """``seeds1-2-3``, or the number of seeds with a hash of them."""
    listed = "-".join(map(str, seeds))
    return f"seeds{listed}" if len(listed) <= 24 else f"{len(seeds)}seeds-{_digest(listed)}"


def hashed_name(name: str, members: Sequence[str]) -> str:
    """A name with a hash of its members, so that other members get another folder."""
    return f"{name}-{_digest(chr(10).join(sorted(members)))}"


def folder_name(task: str) -> str:
    """A task's name in results as a part of a path; long names, and those with other signs, end in a hash."""
    return path_part(own_name(task))


def _digest(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()[:6]
