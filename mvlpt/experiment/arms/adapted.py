"""The arm ``adapted``: the prompt of all tasks, or of a task's group, is tuned further on each task alone.

MVLPT (Shen et al., arXiv 2211.11720, section 3.2) adapts a shared prompt to its target tasks in this way.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from mvlpt.experiment.arms.registry import RUN_FUNCTIONS, ArmSetting, runs_of_arm
from mvlpt.experiment.arms.runs import Run, StartPrompt, folder_name, hashed_name


@runs_of_arm("adapted")
def adapted_runs(setting: ArmSetting) -> Iterator[Run]:
    """For each arm of ``adapt_from``, its runs and then the adaptations of their prompts, with the same seed.

    A run that the experiment's arms hold too is that very run. Another is not tested, since its scores would stand
    beside those of the arms.

    Raises:
        PlanError: the groups are missing, or they do not fit the tasks.
    """
    experiment = setting.experiment
    for arm in experiment.adapt_from:
        for run in RUN_FUNCTIONS[arm](setting):
            source = run if arm in experiment.arms else untested_run(setting, run)
            yield source
            start = StartPrompt((source,), arm, "")
            for task in source.tasks if source.serves is None else source.serves:
                yield adaptation_run(setting, task, source, start)


def untested_run(setting: ArmSetting, run: Run) -> Run:
    """A run in a folder of its own and without scores."""
    (seed,) = setting.seeds
    leaf = hashed_name(run.group or run.arm, run.tasks)
    options = {**run.options, "TEST.NO_TEST": True}
    return dataclasses.replace(run, name=f"{setting.folder('source', seed)}/{leaf}", options=options)


def adaptation_run(setting: ArmSetting, task: str, source: Run, start: StartPrompt, arm: str = "adapted") -> Run:
    """The run that starts from a shared prompt and tunes it on one of its tasks."""
    (seed,) = setting.seeds
    origin = f"from-{start.source}"
    if source.group:
        origin = f"{origin}/{hashed_name(source.group, source.tasks)}"
    return Run(
        name=f"{setting.folder(arm, seed)}/{origin}/{folder_name(task)}",
        kind="adapt",
        trainer=setting.trainer,
        arm=arm,
        tasks=(task,),
        shots=setting.shots,
        seed=seed,
        group=start.source,
        options=setting.overrides("adapted"),
        start=start,
    )
