"""Arms in which tasks share a fresh prompt: none, each alone, all together, in groups, in pairs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from itertools import combinations

from mvlpt.errors import PlanError
from mvlpt.experiment.arms.registry import ArmSetting, runs_of_arm
from mvlpt.experiment.arms.runs import Run, folder_name, hashed_name
from mvlpt.graph import Grouping
from mvlpt.io import path_part


@runs_of_arm("zero_shot")
def zero_shot_runs(setting: ArmSetting) -> Iterator[Run]:
    """The untrained baseline of every task that is compared, and of every target."""
    experiment = setting.experiment
    for task in dict.fromkeys((*experiment.tasks, *experiment.targets)):
        name = f"{setting.trainer_folder}/zero_shot/{folder_name(task)}"
        options = {**setting.overrides(), "TEST.FINAL_MODEL": "last_step"}  # validation images choose nothing here
        yield Run(name, "evaluate", setting.trainer, "zero_shot", (task,), 0, 0, options=options)


@runs_of_arm("single")
def single_runs(setting: ArmSetting) -> Iterator[Run]:
    """Each task alone."""
    for task in setting.experiment.tasks:
        yield tuned_run(setting, "single", (task,), folder=folder_name(task))


@runs_of_arm("all")
def joint_runs(setting: ArmSetting) -> Iterator[Run]:
    """All tasks together."""
    yield tuned_run(setting, "all", setting.experiment.tasks)


@runs_of_arm("grouped")
def group_runs(setting: ArmSetting) -> Iterator[Run]:
    """Each group of tasks; where groups overlap, a task's scores count in the group that serves it.

    Raises:
        PlanError: there are no groups, or they do not fit the tasks.
    """
    groups = setting.groups
    check_groups(groups, setting.experiment.tasks)
    for name in groups.names:
        yield group_run(setting, groups, name)


def group_run(setting: ArmSetting, groups: Grouping, name: str) -> Run:
    """The run of one group."""
    members = tuple(groups.groups[groups.names.index(name)])
    serves = None
    if groups.serves is not None:
        serves = tuple(task for task in members if groups.serves[task] == name)
    return tuned_run(setting, "grouped", members, name, hashed_name(name, members), serves)


@runs_of_arm("pair")
def pair_runs(setting: ArmSetting) -> Iterator[Run]:
    """Every two tasks."""
    for pair in combinations(setting.experiment.tasks, 2):
        name = "+".join(map(folder_name, pair))
        former = "+".join(map(path_part, pair))
        yield dataclasses.replace(tuned_run(setting, "pair", pair, name, name), former_group=former)


def sharing_arm(setting: ArmSetting, tasks: Sequence[str]) -> str:
    """The arm whose options a prompt for these tasks is tuned with: ``single``, ``all`` or ``grouped``."""
    if len(tasks) == 1:
        return "single"
    return "all" if set(tasks) == set(setting.experiment.tasks) else "grouped"


def check_groups(groups: Grouping | None, tasks: Sequence[str]) -> None:
    """Checks that groups serve the tasks of an experiment.

    Raises:
        PlanError: there are none, they hold other tasks, or they leave one out.
    """
    if groups is None:
        raise PlanError("The prompts of groups need groups of the tasks, but none were given")
    members = {task for group in groups.groups for task in group}
    wrong = [f"'{task}' is in no group" for task in tasks if task not in members]
    wrong += [f"'{task}' is no task of the experiment" for task in sorted(members - set(tasks))]
    if wrong:
        raise PlanError(f"The groups do not fit the experiment's tasks: {'; '.join(wrong)}")


def tuned_run(
    setting: ArmSetting,
    arm: str,
    tasks: tuple[str, ...],
    group: str = "",
    folder: str = "",
    serves: tuple[str, ...] | None = None,
) -> Run:
    """A run that tunes a fresh prompt with the only seed of a setting."""
    (seed,) = setting.seeds
    parent = setting.folder(arm, seed)
    name = f"{parent}/{folder}" if folder else parent
    options = setting.overrides(arm)
    return Run(name, "train", setting.trainer, arm, tasks, setting.shots, seed, group, options, serves)
