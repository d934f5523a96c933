"""The arm ``chosen``: each task has the prompt that the chooser picked for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from mvlpt.errors import PlanError, suggest
from mvlpt.experiment.arms.adapted import adaptation_run, untested_run
from mvlpt.experiment.arms.registry import ArmSetting, runs_of_arm
from mvlpt.experiment.arms.runs import Run, StartPrompt, hashed_name
from mvlpt.experiment.arms.shared import check_groups, group_run, sharing_arm, tuned_run
from mvlpt.graph import Grouping

ADAPTED = "adapted"  # in the settings of groups: the tasks that the prompt of their group is adapted to


@runs_of_arm("chosen")
def chosen_runs(setting: ArmSetting) -> Iterator[Run]:
    """The prompt of each group, and its adaptations to those tasks that the groups' settings list as ``adapted``.

    A prompt that is only adapted is that of the arm ``grouped`` if the experiment has it, too.

    Raises:
        PlanError: there are no groups, or they do not fit the tasks; or the tasks to adapt to are no list of them.
    """
    groups = setting.groups
    check_groups(groups, setting.experiment.tasks)
    adapted = _adapted(groups, setting.experiment.tasks)
    for name, members in zip(groups.names, groups.groups, strict=True):
        served = [task for task in members if groups.serves is None or groups.serves[task] == name]
        direct = tuple(task for task in served if task not in adapted)
        serves = None if set(direct) == set(members) else direct
        run = tuned_run(setting, "chosen", tuple(members), name, hashed_name(name, members), serves)
        run = dataclasses.replace(run, options=setting.overrides(sharing_arm(setting, members)))
        if not direct:
            shared = "grouped" in setting.experiment.arms and sharing_arm(setting, members) == "grouped"
            run = group_run(setting, groups, name) if shared else untested_run(setting, run)
        yield run
        start = StartPrompt((run,), name, "")
        for task in served:
            if task in adapted:
                yield adaptation_run(setting, task, run, start, arm="chosen")


def _adapted(groups: Grouping, tasks: Sequence[str]) -> set[str]:
    """The tasks to which the prompts of groups are adapted.

    Raises:
        PlanError: they are no list, or one of them is unknown.
    """
    listed = groups.settings.get(ADAPTED) or ()
    if not isinstance(listed, list | tuple):
        raise PlanError(f"The groups' settings.{ADAPTED} is {listed!r}; list the tasks that prompts are adapted to")
    unknown = next((task for task in listed if task not in tasks), None)
    if unknown is not None:
        near = suggest(str(unknown), tasks)
        raise PlanError(f"The groups' settings.{ADAPTED} names the unknown task '{unknown}'{near}")
    return set(listed)
