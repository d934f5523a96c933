"""The method ``choose``: candidates, a budget, runs on folds, and for each trainer what serves each task."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mvlpt.engine import shared_resources
from mvlpt.errors import ConfigError, GraphError, PlanError
from mvlpt.experiment.arms.chosen import ADAPTED
from mvlpt.experiment.choice.estimation import (
    FoldRuns,
    Measurement,
    check_folds,
    fold_experiment,
    read_answers,
    with_starts,
)
from mvlpt.experiment.configurations import Configurations
from mvlpt.experiment.events import Event, Note, PlanReady
from mvlpt.experiment.grouping.graph import build_task_graph
from mvlpt.experiment.grouping.groups_files import groups_files
from mvlpt.experiment.grouping.options import GroupingOptions
from mvlpt.experiment.grouping.progress import ProgressBars, no_progress
from mvlpt.experiment.grouping.requests import experiment_requests
from mvlpt.experiment.plan import build_plan, keep_plan, plan_of_runs
from mvlpt.experiment.spec import Experiment
from mvlpt.graph import Grouping, TaskGraph, write_groups
from mvlpt.graph.choice import (
    DEFAULT_SHARE,
    Candidate,
    Choice,
    choose_candidates,
    choose_prompts,
    estimate_scores,
    folds_within,
    propose_candidates,
    write_choice,
)
from mvlpt.schedule import Plan

RUNS_FOLDER = "choice"  # of the estimates, below the experiment's folder
FOLDS = 2
MATRICES = ("visual.centred", "visual", "label")  # similarities that candidates are made by, the first ones preferred
LIMITS = ("max_size", "max_classes", "must_link", "cannot_link")  # options of groups that candidates keep to
RunJobs = Callable[[Plan, Path], str]


def choose_groups(
    experiment: Experiment,
    root: Path,
    folder: Path,
    *,
    run_jobs: RunJobs | None,
    on_event: Callable[[Event], None] = lambda event: None,
    progress: ProgressBars = no_progress,
) -> dict[str, Grouping]:
    """Chooses for each trainer what serves each task, and writes ``choice.json`` and ``groups.yaml``.

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
    found = {}
    check_folds(experiment, options.folds or FOLDS)
    with shared_resources():
        graphs = _graphs(experiment, options, folder, progress)
    names = {task: Configurations(experiment).own_name(task) for task in experiment.tasks}
    for trainer in experiment.trainers:
        candidates = _candidates(graphs.get(trainer, next(iter(graphs.values()))), names, options)
        choice, grouping = _choose(experiment, trainer, candidates, names, root / RUNS_FOLDER, run_jobs, on_event)
        write_choice(choice, folder / choice_files(experiment)[trainer])
        write_groups(grouping, folder / groups_files(experiment)[trainer])
        found[trainer] = grouping
    return found


def choice_files(experiment: Experiment) -> dict[str, str]:
    """The name of each trainer's choice file, beside its groups file."""
    files = groups_files(experiment).items()
    return {trainer: f"choice{name.removeprefix('groups').removesuffix('.yaml')}.json" for trainer, name in files}


def _graphs(
    experiment: Experiment, options: GroupingOptions, folder: Path, progress: ProgressBars
) -> dict[str, tuple[TaskGraph, str]]:
    """Each trainer's task graph and the name of its affinity, ``""`` for none."""
    graphs = {}
    for request in experiment_requests(experiment, options):
        update = build_task_graph(request, folder, progress)
        graphs[request.trainer] = update.graph, update.affinity
    return graphs


def _candidates(
    graph: tuple[TaskGraph, str], names: Mapping[str, str], options: GroupingOptions
) -> tuple[Candidate, ...]:
    """Candidates by each similarity of a graph, and by its affinity if there is one, in the experiment's names."""
    known, affinity = graph
    own = {name: task for task, name in names.items()}
    limits = {key: value for key, value in options.constraints().items() if key in LIMITS}
    classes = {task: attributes["classes"] for task, attributes in known.attributes.items()}
    if options.max_classes is not None:
        limits["classes"] = classes
    affinities = {affinity: known.matrix(affinity)} if affinity else {}
    similarities = {name: known.combined({name: 1.0}) for name in MATRICES}
    found = propose_candidates(known.tasks, similarities, affinities, **limits)
    return tuple(
        dataclasses.replace(one, groups=tuple(tuple(own[task] for task in group) for group in one.groups))
        for one in found
    )


def _choose(
    experiment: Experiment,
    trainer: str,
    candidates: Sequence[Candidate],
    names: Mapping[str, str],
    root: Path,
    run_jobs: RunJobs,
    on_event: Callable[[Event], None],
) -> tuple[Choice, Grouping]:
    """One trainer's choice and its groups."""
    options = GroupingOptions.from_section(experiment.grouping)
    folds, share = options.folds or FOLDS, options.budget or DEFAULT_SHARE
    measured, spent = _affordable(experiment, trainer, candidates, share, folds, root)
    folder = root / experiment.trainer_names()[trainer]
    base = fold_experiment(experiment, trainer, 0, folds)
    plan = plan_of_runs(base, folder, with_starts(measured))
    on_event(PlanReady(plan, folder, keep_plan(plan, folder)))
    state = run_jobs(plan, folder)
    if state == "interrupted":
        raise KeyboardInterrupt
    if state != "finished":
        raise PlanError(
            f"Some runs of the chooser have failed; 'mvlpt schedule status {folder}' says which. Then run the same "
            "command again"
        )
    tasks = tuple(names)
    estimates = estimate_scores(*read_answers(measured, candidates, names, folder, folds))
    choices = choose_candidates(candidates, tasks, *estimates)
    prompts = choose_prompts(candidates, choices, *estimates)
    settings = {
        "trainer": experiment.trainer_names()[trainer],
        "shots": base.shots[0],
        "seed": base.seeds[0],
        "folds": folds,
        "budget": share,
        "spent": round(spent, 4),
    }
    grouping = prompts.grouping
    more = {ADAPTED: list(prompts.adapted)} if prompts.adapted else {}
    grouping = dataclasses.replace(grouping, settings={**grouping.settings, **settings, **more})
    on_event(Note(_summary(choices, settings["trainer"], spent)))
    return Choice(tasks, tuple(candidates), *estimates, choices, settings), grouping


def _affordable(
    experiment: Experiment, trainer: str, candidates: Sequence[Candidate], share: float, folds: int, root: Path
) -> tuple[list[Measurement], float]:
    """What is measured within the budget, and the share of the cost of all arms that it takes.

    Raises:
        GraphError: the budget is too small; the message gives the smallest that works.
    """
    runs = FoldRuns(experiment, trainer, folds)
    first = {one.name: list(runs.measurements(one, [0])) for one in candidates}
    everything = [measurement for some in first.values() for measurement in some]
    plan = plan_of_runs(fold_experiment(experiment, trainer, 0, folds), root, with_starts(everything))
    seconds = {job.name: job.seconds for job in plan}
    total = _cost_of_arms(experiment, trainer, candidates, root)
    costs = {name: {run.name: seconds[run.name] / total for run in with_starts(some)} for name, some in first.items()}
    try:
        counts = folds_within(candidates, costs, share, folds=folds)
    except GraphError as error:
        raise ConfigError(f"grouping.budget, a share of the cost of all arms: {error}") from error
    measured = [
        measurement for one in candidates for measurement in runs.measurements(one, range(counts.get(one.name, 0)))
    ]
    of_fold = {f"fold{fold}/{name.partition('/')[2]}": cost for name, cost in seconds.items() for fold in range(folds)}
    return measured, _seconds(measured, of_fold) / total


def _seconds(measurements: Sequence[Measurement], seconds: Mapping[str, float]) -> float:
    """The time of the runs of some measurements, each run once."""
    return math.fsum(seconds[name] for name in {run.name for run in with_starts(measurements)})


def _cost_of_arms(experiment: Experiment, trainer: str, candidates: Sequence[Candidate], root: Path) -> float:
    """Seconds of the arms single, all, grouped and adapted from both, with all seeds, at the smallest shots."""
    groups = next((one.groups for one in candidates if one.arm == "grouped"), candidates[0].groups)
    every = dataclasses.replace(
        experiment,
        trainers=(trainer,),
        zero_shot="",
        arms=("single", "all", "grouped", "adapted"),
        adapt_from=("all", "grouped"),
        shots=(min(experiment.shots),),
        sources=(),
        targets=(),
    )
    return math.fsum(job.seconds for job in build_plan(every, root, Grouping(groups)))


def _summary(choices: Sequence, trainer: str, spent: float) -> str:
    counts = {name: sum(one.candidate == name for one in choices) for name in sorted({c.candidate for c in choices})}
    listed = ", ".join(f"{name} for {count}" for name, count in counts.items())
    return f"{trainer}: chosen {listed} tasks; {spent:.0%} of the cost of all arms"
