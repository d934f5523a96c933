"""The arm ``base_to_new``: a prompt is tuned on half of a task's classes, and tested on these and on the other half.

The protocol of CoCoOp (Zhou et al., arXiv 2203.05557, section 4.1): ``DATASET.SUBSAMPLE_CLASSES`` base and new.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from mvlpt.experiment.arms.registry import UNTRAINED, ArmSetting, runs_of_arm
from mvlpt.experiment.arms.runs import Run, StartPrompt, folder_name
from mvlpt.experiment.arms.shared import tuned_run

CLASSES = "DATASET.SUBSAMPLE_CLASSES"


@runs_of_arm("base_to_new")
def base_to_new_runs(setting: ArmSetting) -> Iterator[Run]:
    """For each task the run on its base classes, and the evaluation of that prompt on its new ones."""
    (seed,) = setting.seeds
    options = setting.overrides("base_to_new")
    for task in setting.experiment.tasks:
        leaf = folder_name(task)
        base = tuned_run(setting, "base", (task,), folder=leaf)
        base = dataclasses.replace(base, options={**options, CLASSES: "base"})
        yield base
        yield dataclasses.replace(
            base,
            name=f"{setting.folder('new', seed)}/{leaf}",
            kind="evaluate",
            arm="new",
            options={**options, CLASSES: "new", "RUN.MODE": "eval", "TEST.FINAL_MODEL": "last_step"},
            start=StartPrompt((base,), "base", ""),
        )


def untrained_runs(setting: ArmSetting) -> Iterator[Run]:
    """The untrained baseline on both halves of each task's classes."""
    for task in setting.experiment.tasks:
        for half in ("base", "new"):
            options = {**setting.overrides(), CLASSES: half, "TEST.FINAL_MODEL": "last_step"}
            name = f"{setting.trainer_folder}/{half}/{folder_name(task)}"
            yield Run(name, "evaluate", setting.trainer, half, (task,), 0, 0, options=options)


UNTRAINED["base_to_new"] = untrained_runs
