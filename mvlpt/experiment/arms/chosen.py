"""The arm ``chosen``: each task has the prompt that the chooser picked for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from mvlpt.experiment.arms.adapted import adaptation_run, untested_run
from mvlpt.experiment.arms.registry import ArmSetting, runs_of_arm
from mvlpt.experiment.arms.runs import Run, StartPrompt, hashed_name
from mvlpt.experiment.arms.shared import check_groups, group_run, sharing_arm, tuned_run

ADAPTED = "adapted"  # in the settings of groups: the tasks that the prompt of their group is adapted to


@runs_of_arm("chosen")
def chosen_runs(setting: ArmSetting) -> Iterator[Run]:
    """The prompt of each group, and its adaptations to those tasks that the groups' settings list as ``adapted``.

    A prompt that is only adapted is that of the arm ``grouped`` if the experiment has it, too.

    Raises:
        PlanError: there are no groups, or they do not fit the tasks.
    """
    groups = setting.groups
    check_groups(groups, setting.experiment.tasks)
    adapted = set(groups.settings.get(ADAPTED, ()))
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
