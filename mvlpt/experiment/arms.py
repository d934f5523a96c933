"""The runs that an arm of an experiment stands for, told as data: which tasks share which prompt."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from mvlpt.errors import PlanError
from mvlpt.experiment.spec import Experiment


@dataclass(frozen=True)
class Run:
    """One run of ``mvlpt train``.

    Attributes:
        name: its folder below the experiment's.
        kind: of its job.
        trainer: configuration file.
        arm: as ``RUN.ARM``.
        group: as ``RUN.GROUP``; of an adaptation, the source.
        tasks: which share the prompt.
        shots: images per class; 0 for runs that train nothing.
        seed: of sampling, prompt and order.
        options: overrides of the configuration file.
        serves: where groups overlap, the tasks for which this run's scores count; ``None`` for all.
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


def zero_shot_runs(experiment: Experiment) -> Iterator[Run]:
    """The untrained baseline of every task that is compared, and of every target."""
    label = experiment.trainer_names()[experiment.zero_shot]
    for task in dict.fromkeys((*experiment.tasks, *experiment.targets)):
        name = f"{label}/zero_shot/{folder_name(task)}"
        options = {**experiment.overrides(), "TEST.FINAL_MODEL": "last_step"}  # validation images choose nothing here
        yield Run(name, "evaluate", experiment.zero_shot, "zero_shot", (task,), 0, 0, options=options)


def tuned_runs(experiment: Experiment, trainer: str, shots: int, seed: int, groups: Any = None) -> Iterator[Run]:
    """The runs of a trainer in all arms but ``transfer``.

    Args:
        experiment: what to compare.
        trainer: a configuration file of it.
        shots: images per class.
        seed: the seed.
        groups: a grouping of the tasks, for the arm ``grouped``.

    Raises:
        PlanError: the arm ``grouped`` without groups, or with groups that leave a task out.
    """
    for arm in experiment.arms:
        if arm == "transfer":
            continue
        place = f"{experiment.trainer_names()[trainer]}/{arm}/{shots_name(shots)}/seed{seed}"
        options = experiment.overrides(arm)
        for group, leaf, tasks in _shared(experiment, arm, groups):
            name = f"{place}/{leaf}" if leaf else place
            serves = getattr(groups, "serves", None) if arm == "grouped" else None
            counted = tuple(task for task in tasks if serves[task] == group) if serves is not None else None
            yield Run(name, "train", trainer, arm, tasks, shots, seed, group, options, counted)


def _shared(experiment: Experiment, arm: str, groups: Any) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Which tasks share a prompt in an arm: (group, last part of the folder, tasks)."""
    tasks = experiment.tasks
    if arm == "all":
        yield "", "", tasks
    elif arm == "single":
        yield from (("", folder_name(task), (task,)) for task in tasks)
    elif arm == "pair":
        for pair in combinations(tasks, 2):
            name = "+".join(map(folder_name, pair))
            yield name, name, pair
    elif arm == "grouped":
        check_groups(groups, tasks)
        for name, members in zip(groups.names, groups.groups, strict=True):
            yield name, tagged(name, members), tuple(members)


def check_groups(groups: Any, tasks: Sequence[str]) -> None:
    """Whether groups serve the tasks of an experiment.

    Raises:
        PlanError: there are none, they hold other tasks, or they leave one out.
    """
    if groups is None:
        raise PlanError("The arm grouped needs groups of the tasks, but none were given")
    there = {task for group in groups.groups for task in group}
    wrong = [f"'{task}' is in no group" for task in tasks if task not in there]
    wrong += [f"'{task}' is no task of the experiment" for task in sorted(there - set(tasks))]
    if wrong:
        raise PlanError(f"The groups do not fit the experiment's tasks: {'; '.join(wrong)}")


def source_runs(experiment: Experiment, trainer: str, shots: int, seed: int) -> Iterator[tuple[str, Run]]:
    """The runs that tune source prompts: (name of the source, run).

    A source that is tuned just so in the arm ``single`` or ``all`` is that very run; any other is not tested, so that
    its scores do not stand beside those of the arms.
    """
    place = f"{experiment.trainer_names()[trainer]}/source/{shots_name(shots)}/seed{seed}"
    options = experiment.overrides("source")
    if experiment.source_prompts == "alone" or len(experiment.sources) == 1:
        arm, shared = "single", [(folder_name(task), folder_name(task), (task,)) for task in experiment.sources]
        known = experiment.tasks
    else:
        tasks = experiment.sources
        arm, shared = "all", [("together", tagged("together", tasks), tasks)]
        known = experiment.sources if experiment.sources == experiment.tasks else ()
    same = arm in experiment.arms and options == experiment.overrides(arm)
    for source, leaf, tasks in shared:
        untested = {} if same and set(tasks) <= set(known) else {"TEST.NO_TEST": True}
        yield source, Run(f"{place}/{leaf}", "train", trainer, arm, tasks, shots, seed, "", {**options, **untested})


def adaptation(experiment: Experiment, trainer: str, shots: int, seed: int, source: str, target: str) -> Run:
    """The run that starts from a source prompt and adapts it to a target."""
    mean = f"from-{seeds_name(experiment.seeds)}"
    place = f"{experiment.trainer_names()[trainer]}/transfer/{shots_name(shots)}/{mean}/seed{seed}"
    name = f"{place}/{source}/{folder_name(target)}"
    options = experiment.overrides("transfer")
    return Run(name, "adapt", trainer, "transfer", (target,), shots, seed, source, options)


def shots_name(shots: int) -> str:
    """``5shot``, or ``allshot``."""
    return f"{shots}shot" if shots > 0 else "allshot"


def seeds_name(seeds: Sequence[int]) -> str:
    """``seeds1-2-3``, or the number of seeds with a hash of them."""
    text = "-".join(map(str, seeds))
    return f"seeds{text}" if len(text) <= 24 else f"{len(seeds)}seeds-{_digest(text)}"


def tagged(name: str, members: Sequence[str]) -> str:
    """A name with a hash of what it stands for, so that other members get another folder."""
    return f"{name}-{_digest(chr(10).join(sorted(members)))}"


def folder_name(task: str) -> str:
    """A task's name as a part of a path; those that are paths or too long are told apart by a hash."""
    safe = re.sub(r"[^A-Za-z0-9._@=-]+", "_", task).strip("._") or "task"
    return safe if safe == task and len(task) <= 80 else f"{safe[-60:]}-{_digest(task)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:6]
