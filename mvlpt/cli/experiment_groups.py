"""The first stage of an experiment: the groups of its tasks, kept in ``graph/groups.yaml`` until something changes."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mvlpt.errors import RunFolderError
from mvlpt.experiment import Experiment
from mvlpt.experiment.configurations import Configurations
from mvlpt.experiment.costs.sizes import task_size
from mvlpt.graph import Grouping, read_groups
from mvlpt.io import read_json, write_json

FOLDER, RECORD = "graph", "groups.inputs.json"
STAND_IN_SIZE = 4  # tasks of a group that stands in, where the experiment does not say how many


def groups_files(experiment: Experiment) -> dict[str, str]:
    """Each trainer's groups file: one for all, or by affinity one each, as affinities are of a trainer's own prompt."""
    names, settings = experiment.trainer_names(), experiment.grouping
    several = settings.get("affinity") and not settings.get("trainer") and len(experiment.trainers) > 1
    return {file: f"groups-{names[file]}.yaml" if several else "groups.yaml" for file in experiment.trainers}


def read_groups_of(experiment: Experiment, path: str | Path) -> Grouping:
    """Groups of an experiment's tasks, by the experiment's names for them.

    The file may also name them as ``mvlpt group`` and the results do, which an alias, a file or a folder does not.

    Raises:
        GraphError: the file cannot be used, or does not hold just these tasks.
    """
    configurations = Configurations(experiment)
    words = {configurations.own_name(task): task for task in experiment.tasks}
    return read_groups(path, experiment.tasks, words)


def groups_of(experiment: Experiment, root: Path, tell: Callable[[str], None]) -> Mapping[str, Grouping]:
    """The groups of an experiment's tasks for each trainer: those of its file, those that are there, or new ones.

    Groups files are kept as long as they were made from the same inputs; one that was edited by hand is honoured
    whatever the inputs are.

    Args:
        experiment: names the tasks and how they are grouped.
        root: its folder.
        tell: called with sentences for the person at the keyboard.

    Raises:
        MvlptError: a groups file cannot be used, or the tasks cannot be embedded or grouped.
    """
    folder, inputs = root / FOLDER, _inputs(experiment)
    given = _given(experiment)
    if given is not None:
        return given
    files = groups_files(experiment)
    paths = {folder / name for name in files.values()}
    if all(path.exists() for path in paths):
        record = _record(folder / RECORD)
        edited = sorted(str(path) for path in paths if record.get("written", {}).get(path.name) != _digest(path))
        if edited:
            tell(f"groups: {', '.join(edited)}, edited by hand")
        if edited or record.get("inputs") == inputs:
            return _read(experiment, folder)
    from mvlpt.cli.group import group_experiment

    group_experiment(experiment, folder)
    write_json({"inputs": inputs, "written": {path.name: _digest(path) for path in paths}}, folder / RECORD)
    return _read(experiment, folder)


def known_groups(experiment: Experiment, root: Path) -> tuple[Mapping[str, Grouping], bool]:
    """Groups for a plan that is only shown: those of a file, or else equal parts of the tasks that stand in for them.

    Returns:
        The groups for each trainer, and whether they stand in for groups that are not known yet.

    Raises:
        MvlptError: a groups file cannot be used, or the tasks cannot be grouped as the experiment says.
    """
    settings, tasks, given = experiment.grouping, experiment.tasks, _given(experiment)
    if given is not None:
        return given, False
    if all((root / FOLDER / name).exists() for name in groups_files(experiment).values()):
        return _read(experiment, root / FOLDER), False
    count = min(
        settings.get("groups") or math.ceil(len(tasks) / (settings.get("max_size") or STAND_IN_SIZE)), len(tasks)
    )
    parts = tuple(tasks[place::count] for place in range(count))
    return dict.fromkeys(experiment.trainers, Grouping(parts, method="stand-in")), True


def _given(experiment: Experiment) -> dict[str, Grouping] | None:
    """The groups of the file that the experiment names, or ``None`` once it is sure that groups can be made.

    Raises:
        MvlptError: the file cannot be used, or the tasks cannot be grouped as the experiment says.
    """
    file = experiment.grouping.get("file")
    if file:
        return dict.fromkeys(experiment.trainers, read_groups_of(experiment, file))
    from mvlpt.cli.group_checks import check_options
    from mvlpt.cli.group_config import runs_of_experiment
    from mvlpt.cli.group_options import GroupOptions

    for run in runs_of_experiment(experiment, GroupOptions.from_mapping(experiment.grouping)):
        sizes = [task_size(task, run.cfg) for task in experiment.tasks]
        check_options(run.options, [size.name for size in sizes], run.cfg, {size.name: size.classes for size in sizes})
    return None


def _read(experiment: Experiment, folder: Path) -> dict[str, Grouping]:
    return {file: read_groups_of(experiment, folder / name) for file, name in groups_files(experiment).items()}


def _inputs(experiment: Experiment) -> str:
    """A hash of what the experiment says about its groups; the images are told apart by the graph's own marks."""
    decisive = {
        "tasks": sorted(experiment.tasks),
        "grouping": {key: value for key, value in experiment.grouping.items() if key != "pictures"},
        "trainers": experiment.trainers,
        "options": experiment.overrides(),
        "shots": min(experiment.shots),
        "seed": experiment.seeds[0],
    }
    return hashlib.sha256(json.dumps(decisive, sort_keys=True, default=str).encode()).hexdigest()


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _record(path: Path) -> dict[str, Any]:
    try:
        content = read_json(path)
    except RunFolderError:
        return {}
    sound = isinstance(content, dict) and isinstance(content.get("written"), dict)
    return content if sound else {}
