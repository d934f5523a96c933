"""The arm ``transfer``: prompts of source tasks, averaged over seeds, are adapted to each target task.

With a fixed pool of sources that have their own shots and options, this is the pre-training stage of PVP (Song et al.,
arXiv 2304.13639): prompts are tuned on other data first, and every target starts from them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from mvlpt.experiment.arms.registry import ArmSetting, runs_of_arm
from mvlpt.experiment.arms.runs import Run, StartPrompt, folder_name, hashed_name, seeds_name, shots_name
from mvlpt.io import path_part

TOGETHER = "together"  # the name of the prompt that all sources share


@runs_of_arm("transfer", across_seeds=True)
def transfer_runs(setting: ArmSetting) -> Iterator[Run]:
    """The source runs of every seed, then the adaptation of each source to every target with each seed."""
    experiment = setting.experiment
    tuned: dict[str, list[Run]] = {}
    for seed in setting.seeds:
        for source, run in source_runs(setting, seed):
            tuned.setdefault(source, []).append(run)
            yield run
    for source, runs in tuned.items():
        folder = hashed_name(source, runs[0].tasks) if source == TOGETHER else source
        parent = f"{setting.trainer_folder}/source/{shots_name(runs[0].shots)}/mean-of-{seeds_name(setting.seeds)}"
        start = StartPrompt(tuple(runs), source, f"{parent}/{folder}")
        for seed in setting.seeds:
            for target in experiment.targets:
                yield _adaptation(setting, seed, source, target, start)


def source_runs(setting: ArmSetting, seed: int) -> Iterator[tuple[str, Run]]:
    """The runs that tune source prompts: (name of the source, run).

    A source that is tuned with the same tasks and options in the arm ``single`` or ``all`` is that very run; any other
    is not tested, so that its scores do not mix with those of the arms.
    """
    experiment = setting.experiment
    shots = setting.shots if experiment.source_shots is None else experiment.source_shots
    options, parent = setting.overrides("source"), dataclasses.replace(setting, shots=shots).folder("source", seed)
    if experiment.source_prompts == "alone" or len(experiment.sources) == 1:
        arm, sources = "single", [(folder_name(task), folder_name(task), (task,)) for task in experiment.sources]
        tested = experiment.tasks
    else:
        tasks = experiment.sources
        arm, sources = "all", [(TOGETHER, hashed_name(TOGETHER, tasks), tasks)]
        tested = experiment.sources if experiment.sources == experiment.tasks else ()
    same_options = arm in experiment.arms and options == setting.overrides(arm) and shots == setting.shots
    for source, folder, tasks in sources:
        test = {} if same_options and set(tasks) <= set(tested) else {"TEST.NO_TEST": True}
        name = f"{parent}/{folder}"
        run = Run(name, "train", setting.trainer, arm, tasks, shots, seed, options={**options, **test})
        yield source, run


def _adaptation(setting: ArmSetting, seed: int, source: str, target: str, start: StartPrompt) -> Run:
    """The run that starts from a source prompt and adapts it to a target."""
    mean = f"from-{seeds_name(setting.seeds)}"
    parent = f"{setting.trainer_folder}/transfer/{shots_name(setting.shots)}/{mean}/seed{seed}"
    return Run(
        name=f"{parent}/{source}/{folder_name(target)}",
        kind="adapt",
        trainer=setting.trainer,
        arm="transfer",
        tasks=(target,),
        shots=setting.shots,
        seed=seed,
        group=source,
        former_group=path_part(start.runs[0].tasks[0]) if source != TOGETHER else "",
        options=setting.overrides("transfer"),
        start=start,
    )
