"""The method ``choose``: candidates, a budget, runs on folds, and for each trainer what serves each task."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from mvlpt.engine import shared_resources
from mvlpt.errors import ConfigError, PlanError
from mvlpt.experiment.arms.chosen import ADAPTED
from mvlpt.experiment.arms.runs import shots_name
from mvlpt.experiment.choice.estimation import check_folds, leaves_out_classes
from mvlpt.experiment.choice.measuring import Measuring, RunJobs
from mvlpt.experiment.choice.spending import REQUIRED, spend_on_improvement, spend_share
from mvlpt.experiment.configurations import Configurations
from mvlpt.experiment.costs.tuning import prompt_parts
from mvlpt.experiment.events import Event, Note
from mvlpt.experiment.grouping.graph import build_task_graph
from mvlpt.experiment.grouping.groups_files import GroupsKey, groups_files, groups_key
from mvlpt.experiment.grouping.options import GroupingOptions
from mvlpt.experiment.grouping.progress import ProgressBars, no_progress
from mvlpt.experiment.grouping.requests import experiment_requests
from mvlpt.experiment.spec import Experiment
from mvlpt.graph import Grouping, TaskGraph, group_tasks, write_groups
from mvlpt.graph.choice import (
    CLASS_FOLD_BIAS,
    DEFAULT_SHARE,
    ELSEWHERE,
    SAME_CLASSES,
    Candidate,
    Choice,
    choose_candidates,
    choose_prompts,
    fill_unmeasured,
    known_gains,
    least_budget,
    propose_candidates,
    shrunk_accuracies,
    write_choice,
)
from mvlpt.schedule import Plan

RUNS_FOLDER = "choice"  # of the estimates, below the experiment's folder
FOLDS = 2
MATRICES = ("visual.centred", "visual", "label")  # similarities that candidates are made by, the first ones preferred
ROUGHLY = 0.9  # of the least budget, which depends a little on groups that are not known before tasks are embedded
SAME_NAMES = 0.5  # share of class names, |A and B| / |A or B|, above which tasks are of the same classes
LIMITS = ("max_size", "max_classes", "must_link", "cannot_link")  # options of groups that candidates keep to


def choose_groups(
    experiment: Experiment,
    root: Path,
    folder: Path,
    *,
    run_jobs: RunJobs | None,
    on_event: Callable[[Event], None] = lambda event: None,
    progress: ProgressBars = no_progress,
) -> dict[GroupsKey, Grouping]:
    """Chooses what serves each task, for each trainer and number of shots; writes ``choice.json`` and ``groups.yaml``.

    The same call goes on where an earlier one was stopped.

    Args:
        experiment: tasks, trainers and ``grouping`` with ``method: choose``.
        root: the experiment's folder; the runs lie in ``choice`` below it.
        folder: for the task graph, the choice and the groups.
        run_jobs: runs a plan in a folder, and returns ``finished``, ``incomplete`` or ``interrupted``.
        on_event: called with a note for each trainer.
        progress: makes a progress bar.

    Raises:
        MvlptError: options or tasks cannot be used, the budget is too small, or a run has failed.
        KeyboardInterrupt: the runs were interrupted.
    """
    if run_jobs is None:
        raise ConfigError("grouping.method choose trains prompts; run the experiment, or use mvlpt group --choose")
    options = GroupingOptions.from_section(experiment.grouping)
    for _, one in _settings(experiment):
        _check_folds(one, options)
    with shared_resources():
        graphs = _graphs(experiment, options, folder, progress)
    names = {task: Configurations(experiment).own_name(task) for task in experiment.tasks}
    files, choices, found = groups_files(experiment), choice_files(experiment), {}
    for trainer, one in _settings(experiment):
        key = groups_key(experiment, trainer, one.shots[0])
        graph = graphs.get(trainer, next(iter(graphs.values())))
        candidates, matrices = _candidates(graph, names, options), _partners(graph, names)
        runs = root / RUNS_FOLDER / experiment.trainer_names()[trainer]
        runs = runs.with_name(f"{runs.name}-{shots_name(one.shots[0])}") if len(experiment.shots) > 1 else runs
        zero_shot = _zero_shot(graph, names)
        choice, grouping = _choose(one, trainer, candidates, names, matrices, zero_shot, runs, run_jobs, on_event)
        write_choice(choice, folder / choices[key])
        write_groups(grouping, folder / files[key])
        found[key] = grouping
    return found


def choice_files(experiment: Experiment) -> dict[GroupsKey, str]:
    """The name of each choice file, beside its groups file."""
    files = groups_files(experiment).items()
    return {key: f"choice{name.removeprefix('groups').removesuffix('.yaml')}.json" for key, name in files}


def _graphs(
    experiment: Experiment, options: GroupingOptions, folder: Path, progress: ProgressBars
) -> dict[str, tuple[TaskGraph, str]]:
    """Each trainer's task graph and the name of its affinity, ``""`` for none."""
    graphs = {}
    for request in experiment_requests(experiment, options):
        update = build_task_graph(request, folder, progress)
        graphs[request.trainer] = update.graph, update.affinity
    return graphs


def _partners(graph: tuple[TaskGraph, str], names: Mapping[str, str]) -> dict[str, np.ndarray | None]:
    """What helps to predict gains: the affinity of a graph and the similarity of its tasks, (T, T) in their order."""
    known, affinity = graph
    rows = [known.tasks.index(name) for name in names.values()]
    pairs = np.ix_(rows, rows)
    return {
        "affinity": known.matrix(affinity)[pairs] if affinity else None,
        "similarity": known.matrix(MATRICES[0])[pairs],
    }


def _zero_shot(graph: tuple[TaskGraph, str], names: Mapping[str, str]) -> list[float]:
    """The untuned model's accuracy on each task's training images, shrunk, in the order of the experiment's tasks."""
    tasks = [graph[0].attributes[name] for name in names.values()]
    return shrunk_accuracies([task["zero_shot"] for task in tasks], [task["images"] for task in tasks])


def _candidates(
    graph: tuple[TaskGraph, str], names: Mapping[str, str], options: GroupingOptions
) -> tuple[Candidate, ...]:
    """Candidates by each similarity of a graph, by its affinity if there is one, and tasks of the same classes.

    They bear the experiment's names of tasks.
    """
    known, affinity = graph
    own = {name: task for task, name in names.items()}
    limits = {key: value for key, value in options.constraints().items() if key in LIMITS}
    classes = {task: attributes["classes"] for task, attributes in known.attributes.items()}
    if options.max_classes is not None:
        limits["classes"] = classes
    affinities = {affinity: known.matrix(affinity)} if affinity else {}
    similarities = {name: known.combined({name: 1.0}) for name in MATRICES}
    same = group_tasks(known.matrix("label.names"), known.tasks, threshold=SAME_NAMES, **limits).groups
    found = propose_candidates(known.tasks, similarities, affinities, partitions={SAME_CLASSES: same}, **limits)
    return tuple(
        dataclasses.replace(one, groups=tuple(tuple(own[task] for task in group) for group in one.groups))
        for one in found
    )


def _choose(
    experiment: Experiment,
    trainer: str,
    candidates: Sequence[Candidate],
    names: Mapping[str, str],
    matrices: Mapping[str, np.ndarray | None],
    zero_shot: Sequence[float],
    folder: Path,
    run_jobs: RunJobs,
    on_event: Callable[[Event], None],
) -> tuple[Choice, Grouping]:
    """The choice of one trainer at one number of shots, and its groups."""
    options, tasks = GroupingOptions.from_section(experiment.grouping), tuple(names)
    folds, by_classes = options.folds or FOLDS, leaves_out_classes(experiment)
    bias, error = (CLASS_FOLD_BIAS, {}) if by_classes else (0.0, {"error": ELSEWHERE})
    parts = prompt_parts(Configurations(experiment).base(trainer, experiment.overrides("all", trainer)))
    shots = experiment.shots[0]
    priors = known_gains(candidates, parts, shots=shots, zero_shot=zero_shot, **error) if parts or by_classes else {}
    measuring = Measuring(experiment, trainer, candidates, names, folds, folder, run_jobs, on_event)
    share = options.budget
    if by_classes and not options.measures:
        share = 0.0  # folds would say less than what is known
    elif options.budget_seconds is not None or options.budget_runs is not None:
        budget = options.budget_seconds if options.budget_runs is None else options.budget_runs
        runs = options.budget_runs is not None
        spend_on_improvement(measuring, budget, runs=runs, priors=priors, bias=bias, **matrices)
    else:
        share = spend_share(measuring, options.budget)
    estimates = fill_unmeasured(candidates, tasks, measuring.estimates(), **matrices)
    choices = choose_candidates(candidates, tasks, *estimates, priors=priors, bias=bias)
    prompts = choose_prompts(candidates, choices, *estimates)
    seconds, count = measuring.spent() if measuring.counts else (0.0, 0)
    spent = seconds / measuring.cost_of_arms()
    settings = {
        "trainer": experiment.trainer_names()[trainer],
        "shots": experiment.shots[0],
        "seed": experiment.seeds[0],
        "folds": folds if measuring.counts else 0,
        "of": "classes" if by_classes else "images",
        "budget": share if share is not None else {"seconds": options.budget_seconds, "runs": options.budget_runs},
        "spent": round(spent, 4),
        "runs": count,
        "measured": dict(measuring.counts),
    }
    grouping = prompts.grouping
    more = {ADAPTED: list(prompts.adapted)} if prompts.adapted else {}
    kept = {key: value for key, value in settings.items() if key != "measured"}
    grouping = dataclasses.replace(grouping, settings={**grouping.settings, **kept, **more})
    on_event(Note(_summary(choices, settings["trainer"], spent)))
    return Choice(tasks, tuple(candidates), *estimates, choices, settings), grouping


def _summary(choices: Sequence, trainer: str, spent: float) -> str:
    counts = {name: sum(one.candidate == name for one in choices) for name in sorted({c.candidate for c in choices})}
    listed = ", ".join(f"{name} for {count}" for name, count in counts.items())
    source = f"{spent:.0%} of the cost of all arms" if spent else "from what is known, nothing was trained"
    return f"{trainer}: chosen {listed} tasks; {source}"


def choice_seconds(experiment: Experiment, root: Path) -> float:
    """What the choice is estimated to take at most, in seconds of one slot, before anything is embedded or trained.

    Args:
        experiment: with the method ``choose``.
        root: its folder.

    Raises:
        ConfigError: the budget is clearly too small to estimate anything, or the images cannot be split into folds.
    """
    options, total = GroupingOptions.from_section(experiment.grouping), 0.0
    for trainer, one in _settings(experiment):
        _check_folds(one, options)
        if leaves_out_classes(one) and not options.measures:
            continue
        names = {task: task for task in one.tasks}
        folds, candidates = options.folds or FOLDS, propose_candidates(one.tasks)
        measuring = Measuring(one, trainer, candidates, names, folds, root, _no_jobs, lambda event: None)
        seconds, costs = measuring.seconds.values(), measuring.fold_costs()
        least = least_budget(measuring.candidates, costs, required=REQUIRED)
        if options.budget_runs is not None:
            runs = len(set().union(*(costs[candidate.name] for candidate in candidates[:REQUIRED])))
            _check_reach("budget_runs", options.budget_runs, runs)
            total += options.budget_runs * math.fsum(seconds) / len(seconds)
        elif options.budget_seconds is not None:
            total += options.budget_seconds
        else:
            arms = measuring.cost_of_arms()
            if options.budget is not None:
                _check_reach("budget", options.budget, least / arms, ROUGHLY)
            total += arms * options.budget if options.budget else max(arms * DEFAULT_SHARE, least)
    return total


def _check_folds(experiment: Experiment, options: GroupingOptions) -> None:
    """Refuses folds that the images cannot be split into, where any are used."""
    if options.measures or not leaves_out_classes(experiment):
        check_folds(experiment, options.folds or FOLDS, "grouping.folds")


def _check_reach(key: str, budget: float, least: float, roughly: float = 1.0) -> None:
    """Refuses a budget that single and all on one fold do not fit into.

    Raises:
        ConfigError: it is below ``roughly`` times the least that works.
    """
    if budget < roughly * least:
        raise ConfigError(
            f"grouping.{key} is {budget:.4g}, too small to estimate single and all on one fold, which takes "
            f"{'' if roughly == 1 else 'about '}{least:.3g}; give more"
        )


def _no_jobs(plan: Plan, folder: Path) -> str:
    raise PlanError("A preview runs nothing")


def _settings(experiment: Experiment) -> Iterator[tuple[str, Experiment]]:
    """Each trainer with the experiment at each number of shots."""
    for trainer in experiment.trainers:
        for shots in experiment.shots:
            yield trainer, dataclasses.replace(experiment, shots=(shots,))
