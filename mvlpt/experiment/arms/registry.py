"""Which function makes the runs of which arm, and the runs of a whole experiment."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mvlpt.arms import ARMS
from mvlpt.experiment.arms.runs import Run, shots_name
from mvlpt.experiment.spec import Experiment
from mvlpt.graph import Grouping


@dataclass(frozen=True)
class ArmSetting:
    """What an arm makes runs for.

    Attributes:
        experiment: what to compare.
        trainer: a configuration file of it.
        shots: images per class.
        seeds: one, or all of the experiment for arms that average over seeds.
        groups: of the tasks, for arms that follow groups.
    """

    experiment: Experiment
    trainer: str
    shots: int
    seeds: tuple[int, ...]
    groups: Grouping | None = None

    def overrides(self, arm: str = "") -> dict[str, Any]:
        """The options of the runs of an arm."""
        return self.experiment.overrides(arm, self.trainer)

    @property
    def trainer_folder(self) -> str:
        """The first part of the names of runs."""
        return self.experiment.trainer_names()[self.trainer]

    def folder(self, arm: str, seed: int) -> str:
        """Where the runs of an arm lie, such as ``MVLPT-VPT/single/4shot/seed1``."""
        return f"{self.trainer_folder}/{arm}/{shots_name(self.shots)}/seed{seed}"


RunsOfArm = Callable[[ArmSetting], Iterator[Run]]
RUN_FUNCTIONS: dict[str, RunsOfArm] = {}
UNTRAINED: dict[str, RunsOfArm] = {}  # what the untrained baseline is tested on for an arm, besides whole tasks
_ACROSS_SEEDS: set[str] = set()


def runs_of_arm(name: str, *, across_seeds: bool = False) -> Callable[[RunsOfArm], RunsOfArm]:
    """Registers the function that makes the runs of an arm.

    Args:
        name: one of :data:`mvlpt.arms.ARMS`.
        across_seeds: call it once with all seeds, after the arms that are called for each seed.

    Raises:
        KeyError: no such arm, or it has a function already.
    """
    if name not in ARMS or name in RUN_FUNCTIONS:
        raise KeyError(f"Arm '{name}' is not in mvlpt.arms.ARMS, or its runs have a function already")

    def register(function: RunsOfArm) -> RunsOfArm:
        RUN_FUNCTIONS[name] = function
        if across_seeds:
            _ACROSS_SEEDS.add(name)
        return function

    return register


def planned_runs(experiment: Experiment, groupings: Grouping | Mapping[str, Grouping] | None = None) -> Iterator[Run]:
    """All runs of an experiment; a run that several arms need is named by each of them.

    Args:
        experiment: what to compare.
        groupings: for arms that follow groups: a grouping of the tasks, or one for each trainer's configuration file,
            or for each (configuration file, shots).

    Raises:
        PlanError: an arm lacks its groups, or they do not fit the tasks.
    """
    each_seed = [arm for arm in experiment.arms if arm not in _ACROSS_SEEDS]
    all_seeds = [arm for arm in experiment.arms if arm in _ACROSS_SEEDS]
    for trainer in experiment.trainers:
        for shots in experiment.shots:
            groups = groupings
            if isinstance(groupings, Mapping):
                groups = groupings.get((trainer, shots), groupings.get(trainer))
            setting = ArmSetting(experiment, trainer, shots, experiment.seeds, groups)
            for seed in experiment.seeds:
                for arm in each_seed:
                    yield from RUN_FUNCTIONS[arm](dataclasses.replace(setting, seeds=(seed,)))
            for arm in all_seeds:
                yield from RUN_FUNCTIONS[arm](setting)
    for file in experiment.baselines:
        compared = experiment.as_baseline(file)
        for shots in experiment.shots:
            for seed in experiment.seeds:
                yield from RUN_FUNCTIONS["single"](ArmSetting(compared, file, shots, (seed,)))
    if experiment.zero_shot:  # last, so that features are kept by trainers that read training images, too
        for arm in ("zero_shot", *(arm for arm in experiment.arms if arm in UNTRAINED)):
            yield from UNTRAINED.get(arm, RUN_FUNCTIONS[arm])(ArmSetting(experiment, experiment.zero_shot, 0, (0,)))
