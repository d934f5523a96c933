"""The groups files of an experiment."""

from __future__ import annotations

from pathlib import Path

from mvlpt.experiment.arms.runs import shots_name
from mvlpt.experiment.configurations import Configurations
from mvlpt.experiment.grouping.options import CHOOSE
from mvlpt.experiment.spec import Experiment
from mvlpt.graph import Grouping, read_groups

GroupsKey = str | tuple[str, int]


def groups_key(experiment: Experiment, trainer: str, shots: int) -> GroupsKey:
    """By what the groups of a trainer are known: its configuration file, with the shots where those have their own."""
    return (trainer, shots) if _per_shot(experiment) else trainer


def groups_files(experiment: Experiment) -> dict[GroupsKey, str]:
    """The groups files by :func:`groups_key`.

    There is one for all trainers; one each where they follow from a trainer's own prompt; and with the method
    ``choose`` one for each number of shots, too.
    """
    names, settings = experiment.trainer_names(), experiment.grouping
    own = settings.get("affinity") or settings.get("method") == CHOOSE
    several = own and not settings.get("trainer") and len(experiment.trainers) > 1
    files = {}
    for trainer in experiment.trainers:
        name = f"groups-{names[trainer]}" if several else "groups"
        for shots in experiment.shots:
            ending = f"-{shots_name(shots)}" if _per_shot(experiment) else ""
            files[groups_key(experiment, trainer, shots)] = f"{name}{ending}.yaml"
    return files


def _per_shot(experiment: Experiment) -> bool:
    return experiment.grouping.get("method") == CHOOSE and len(experiment.shots) > 1


def read_groups_of(experiment: Experiment, path: str | Path) -> Grouping:
    """Groups of an experiment's tasks, by the experiment's names for them.

    The file may also name them as ``mvlpt group`` and the results do, which an alias, a file or a folder does not.

    Raises:
        GraphError: the file cannot be used, or does not hold just these tasks.
    """
    configurations = Configurations(experiment)
    names = {configurations.own_name(task): task for task in experiment.tasks}
    return read_groups(path, experiment.tasks, names)


def read_groups_in(experiment: Experiment, folder: Path) -> dict[GroupsKey, Grouping]:
    """By :func:`groups_key` the groups that a folder holds for it.

    Raises:
        GraphError: a file is missing or cannot be used.
    """
    return {key: read_groups_of(experiment, folder / name) for key, name in groups_files(experiment).items()}
