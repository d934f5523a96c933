"""The groups files of an experiment."""

from __future__ import annotations

from pathlib import Path

from mvlpt.experiment.configurations import Configurations
from mvlpt.experiment.grouping.options import CHOOSE
from mvlpt.experiment.spec import Experiment
from mvlpt.graph import Grouping, read_groups


def groups_files(experiment: Experiment) -> dict[str, str]:
    """Each trainer's groups file: one for all, or one each where they follow from a trainer's own prompt."""
    names, settings = experiment.trainer_names(), experiment.grouping
    own = settings.get("affinity") or settings.get("method") == CHOOSE
    several = own and not settings.get("trainer") and len(experiment.trainers) > 1
    return {file: f"groups-{names[file]}.yaml" if several else "groups.yaml" for file in experiment.trainers}


def read_groups_of(experiment: Experiment, path: str | Path) -> Grouping:
    """Groups of an experiment's tasks, by the experiment's names for them.

    The file may also name them as ``mvlpt group`` and the results do, which an alias, a file or a folder does not.

    Raises:
        GraphError: the file cannot be used, or does not hold just these tasks.
    """
    configurations = Configurations(experiment)
    names = {configurations.own_name(task): task for task in experiment.tasks}
    return read_groups(path, experiment.tasks, names)


def read_groups_in(experiment: Experiment, folder: Path) -> dict[str, Grouping]:
    """For each trainer's configuration file the groups that a folder holds for it.

    Raises:
        GraphError: a file is missing or cannot be used.
    """
    return {file: read_groups_of(experiment, folder / name) for file, name in groups_files(experiment).items()}
