"""The arm ``cross_dataset``: prompts of source tasks are tested on each target task as they are.

The protocol of CoCoOp (Zhou et al., arXiv 2203.05557, section 4.2), with any tasks in the place of ImageNet.
"""

from __future__ import annotations

from collections.abc import Iterator

from mvlpt.experiment.arms.registry import ArmSetting, runs_of_arm
from mvlpt.experiment.arms.runs import Run, StartPrompt, folder_name
from mvlpt.experiment.arms.transfer import source_runs


@runs_of_arm("cross_dataset")
def cross_dataset_runs(setting: ArmSetting) -> Iterator[Run]:
    """The source runs of a seed, and the evaluation of each source prompt on every target."""
    (seed,) = setting.seeds
    options = {**setting.overrides("cross_dataset"), "RUN.MODE": "eval", "TEST.FINAL_MODEL": "last_step"}
    for source, run in source_runs(setting, seed):
        yield run
        start = StartPrompt((run,), source, "")
        for target in setting.experiment.targets:
            yield Run(
                name=f"{setting.folder('cross_dataset', seed)}/{source}/{folder_name(target)}",
                kind="evaluate",
                trainer=setting.trainer,
                arm="cross_dataset",
                tasks=(target,),
                shots=setting.shots,
                seed=seed,
                group=source,
                options=options,
                start=start,
            )
