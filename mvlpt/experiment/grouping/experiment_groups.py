"""Groups of an experiment's tasks, as its section ``grouping`` asks for them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mvlpt.experiment.costs.sizes import task_size
from mvlpt.experiment.events import Event, GroupsFound
from mvlpt.experiment.grouping.checks import check_options
from mvlpt.experiment.grouping.groups import find_groups
from mvlpt.experiment.grouping.groups_files import read_groups_of
from mvlpt.experiment.grouping.options import GroupingOptions
from mvlpt.experiment.grouping.progress import ProgressBars, no_progress
from mvlpt.experiment.grouping.requests import experiment_requests
from mvlpt.experiment.spec import Experiment
from mvlpt.graph import Grouping


def group_experiment(
    experiment: Experiment,
    folder: str | Path,
    *,
    on_event: Callable[[Event], None] = lambda event: None,
    progress: ProgressBars = no_progress,
) -> dict[str, Grouping]:
    """Builds the task graph of an experiment and picks its groups.

    Args:
        experiment: tasks, trainers and ``grouping``; see :func:`mvlpt.experiment.load_experiment`.
        folder: for the graph and the groups.
        on_event: called with :class:`~mvlpt.experiment.events.GroupsFound` for each grouping.
        progress: makes a progress bar.

    Returns:
        For each trainer's configuration file its groups: the same for all by similarity or from a file, those of its
        own prompt by affinity.

    Raises:
        MvlptError: tasks, options, constraints or files cannot be used.
    """
    options = GroupingOptions.from_section(experiment.grouping)
    if options.file:
        return dict.fromkeys(experiment.trainers, read_groups_of(experiment, options.file))
    found = {}
    from mvlpt.engine import shared_resources  # loads torch

    with shared_resources():
        for request in experiment_requests(experiment, options):
            result = find_groups(request, folder, progress)
            on_event(GroupsFound(result, Path(folder)))
            found[request.trainer] = result.grouping
    first = next(iter(found.values()))
    return {trainer: found.get(trainer, first) for trainer in experiment.trainers}


def given_groups(experiment: Experiment) -> dict[str, Grouping] | None:
    """The groups of the file that the experiment names; ``None``, after a check that groups can be made, without one.

    Raises:
        MvlptError: the file cannot be used, or the tasks cannot be grouped as the experiment says.
    """
    options = GroupingOptions.from_section(experiment.grouping)
    if options.file:
        return dict.fromkeys(experiment.trainers, read_groups_of(experiment, options.file))
    for request in experiment_requests(experiment, options):
        sizes = [task_size(task, request.cfg) for task in experiment.tasks]
        classes = {size.name: size.classes for size in sizes}
        check_options(options, [size.name for size in sizes], request.cfg, classes)
    return None
