"""An experiment from its file to its scores: groups, plan, jobs, results. Every stage keeps what it made."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from mvlpt.experiment.choice import choice_seconds
from mvlpt.experiment.collect import Row, collect_plan, failed_trainings
from mvlpt.experiment.configurations import Configurations
from mvlpt.experiment.events import Event, Note, PlanReady
from mvlpt.experiment.grouping.groups_files import GroupsKey
from mvlpt.experiment.grouping.options import CHOOSE
from mvlpt.experiment.grouping.progress import ProgressBars, no_progress
from mvlpt.experiment.grouping.stage import ensure_groups, preview_groups
from mvlpt.experiment.jobs import has_finished, run_jobs
from mvlpt.experiment.plan.earlier import plan_in
from mvlpt.experiment.plan.estimates import estimated_plan
from mvlpt.experiment.plan.folder import check_folder, keep_plan
from mvlpt.experiment.preflight import check_inputs, missing_inputs
from mvlpt.experiment.search.choosing import ensure_options, preview_options
from mvlpt.experiment.search.space import searches
from mvlpt.experiment.spec import Experiment, load_experiment
from mvlpt.graph import Grouping
from mvlpt.io import counted, listed
from mvlpt.schedule import PLAN_FILE, Plan, RunCommand, RunOptions, Slot, check_free, load_plan

MOST_NAMED = 5  # runs, in a line
State = Literal["grouped", "finished", "incomplete", "interrupted"]


@dataclass(frozen=True)
class ExperimentResult:
    """What an experiment has led to.

    Attributes:
        experiment: what was compared.
        root: its folder.
        state: ``finished``; ``incomplete`` where jobs failed or are missing; ``interrupted`` by the user; ``grouped``
            where only groups were asked for.
        groups: each trainer's configuration file to its groups, or (file, shots) where the method ``choose`` chose for
            several numbers of shots; empty where no arm follows groups.
        plan: the jobs; ``None`` where only groups were asked for.
        rows: lines of ``results.jsonl``; empty after an interruption.
    """

    experiment: Experiment
    root: Path
    state: State
    groups: Mapping[GroupsKey, Grouping] = field(default_factory=dict)
    plan: Plan | None = None
    rows: Sequence[Row] = ()


@dataclass(frozen=True)
class PlanPreview:
    """What an experiment would run.

    Attributes:
        plan: the jobs, with their estimates.
        slots: where they would run.
        groups_known: the groups of the plan are those that would be used. Otherwise equal parts of the tasks stand for
            groups that are not known before the tasks are embedded.
        choosing: seconds of one slot that the method ``choose`` is estimated to take at most before the plan; 0 where
            the choice is there, or another method is used.
        options_known: the options of the plan are those that would be used. Otherwise the first values stand for those
            that a search will choose, and its jobs are not in the plan.
        missing: data and weights that are not on this machine, a line each, with the command that gets it.
    """

    plan: Plan
    slots: Sequence[Slot]
    groups_known: bool
    choosing: float = 0.0
    options_known: bool = True
    missing: Sequence[str] = ()


def run_experiment(
    experiment: Experiment | str | os.PathLike[str],
    root: str | os.PathLike[str],
    *,
    on_event: Callable[[Event], None] = lambda event: None,
    options: RunOptions | None = None,
    experiment_file: str = "",
    run_command: RunCommand | None = None,
    only_groups: bool = False,
    measure: bool = True,
    progress: ProgressBars = no_progress,
) -> ExperimentResult:
    """Runs an experiment to its end; the same call goes on where an earlier one was stopped.

    Example::

        result = run_experiment("configs/experiments/demo.yaml", "output/demo", on_event=print)
        print(result.state, len(result.rows))

    Args:
        experiment: what to compare, or the file that says so.
        root: the experiment's folder.
        on_event: called with each :class:`~mvlpt.experiment.events.Event`, from this thread.
        options: where and how jobs run; by default as the experiment says.
        experiment_file: where ``experiment`` was read from; with it the plan ends in a job that writes the tables.
        run_command: runs commands of ``mvlpt`` in this process, for executors that can; see
            :func:`mvlpt.schedule.make_executor`.
        only_groups: stop once the groups are picked.
        measure: measure the speed of this machine for the estimates, if that is not known.
        progress: makes progress bars while tasks are embedded.

    Returns:
        Groups, plan and scores.

    Raises:
        MvlptError: the experiment, its folder or the executor cannot be used.
    """
    experiment, experiment_file = _loaded(experiment, experiment_file)
    folder = Path(root)
    check_free(folder)
    chosen = options or RunOptions.from_settings(experiment.executor)
    experiment = _checked(experiment, folder)
    chosen.check(run_command)
    previewed, _ = preview_options(experiment, folder)
    if not _is_over(previewed, folder):
        _check_inputs(previewed, chosen, on_event)
    experiment = ensure_options(
        experiment,
        folder,
        run_jobs=lambda plan, where: run_jobs(plan, where, chosen, run_command, on_event),
        on_event=on_event,
    )
    check_folder(experiment, folder)
    groups: Mapping[GroupsKey, Grouping] = {}
    if experiment.needs_groups or only_groups:
        groups = ensure_groups(
            experiment,
            folder,
            on_event=on_event,
            progress=progress,
            run_jobs=lambda plan, where: run_jobs(plan, where, chosen, run_command, on_event),
        )
    if only_groups:
        return ExperimentResult(experiment, folder, "grouped", groups)
    plan = estimated_plan(
        experiment,
        folder,
        groups or None,
        chosen,
        experiment_file=experiment_file,
        measure=measure,
        on_measure=lambda sentence: on_event(Note(f"{sentence} ...")),
    )
    on_event(PlanReady(plan, folder, keep_plan(plan, folder)))
    state = run_jobs(plan, folder, chosen, run_command, on_event)
    rows = () if state == "interrupted" else collect_plan(plan, folder)
    if failed := failed_trainings(plan, folder):
        on_event(Note(_failures(failed)))
    return ExperimentResult(experiment, folder, state, groups, plan, rows)


def _failures(names: Sequence[str]) -> str:
    """A line on runs whose training has failed."""
    return (
        f"training has failed in {counted(len(names), 'run')}, worse on the very images that trained them "
        f"at its end: {listed(names, MOST_NAMED)}; lower OPTIM.LR, or take other seeds"
    )


def _is_over(experiment: Experiment, folder: Path) -> bool:
    """Whether a plan over the same tasks and backbones has finished in a folder: nothing may be left to read."""
    plan = plan_in(folder)
    if plan is None or not has_finished(plan, folder):
        return False
    backbones = [name for name, _ in Configurations(experiment).backbones()]
    tasks, speeds = plan.metadata.get("tasks"), plan.metadata.get("speeds", backbones)  # version 0.1.0 has no speeds
    sound = isinstance(tasks, list) and isinstance(speeds, list | dict)
    return sound and all(task in tasks for task in experiment.all_tasks) and all(name in speeds for name in backbones)


def _check_inputs(experiment: Experiment, options: RunOptions, on_event: Callable[[Event], None]) -> None:
    """Refuses missing data and weights; where jobs run elsewhere, they may be there, and a note says what is not here.

    Raises:
        ConfigError: something is missing.
    """
    if options.spec.local:
        check_inputs(experiment)
        return
    for line in missing_inputs(experiment):
        on_event(Note(f"not on this machine: {line}"))


def preview_experiment(
    experiment: Experiment | str | os.PathLike[str],
    root: str | os.PathLike[str],
    *,
    options: RunOptions | None = None,
    experiment_file: str = "",
) -> PlanPreview:
    """The plan of an experiment and its estimates; writes nothing.

    Args:
        experiment, root, options, experiment_file: as for :func:`run_experiment`.

    Raises:
        MvlptError: the experiment, its folder or the executor cannot be used.
    """
    experiment, experiment_file = _loaded(experiment, experiment_file)
    folder = Path(root)
    chosen = options or RunOptions.from_settings(experiment.executor)
    _checked(experiment, folder)
    experiment, options_known = preview_options(experiment, folder)
    groups, stand_in = preview_groups(experiment, folder) if experiment.needs_groups else (None, False)
    plan = estimated_plan(experiment, folder, groups, chosen, experiment_file=experiment_file)
    chooses = stand_in and experiment.grouping.get("method") == CHOOSE
    choosing = choice_seconds(experiment, folder) if chooses else 0.0
    missing = () if _is_over(experiment, folder) else tuple(missing_inputs(experiment))
    return PlanPreview(plan, chosen.planned_slots(), not stand_in, choosing, options_known, missing)


def collect_experiment(
    experiment: Experiment | str | os.PathLike[str], root: str | os.PathLike[str]
) -> ExperimentResult:
    """The scores of an experiment so far, by the plan in its folder; runs nothing.

    Args:
        experiment: what is compared, or the file that says so.
        root: the experiment's folder.

    Raises:
        MvlptError: the folder holds no plan, or results that cannot be read.
    """
    experiment, _ = _loaded(experiment)
    folder = Path(root)
    Configurations(experiment)  # registers the tasks of plugins, whose looks are in the tables
    plan = load_plan(folder / PLAN_FILE)
    rows = collect_plan(plan, folder)
    return ExperimentResult(
        experiment, folder, "finished" if has_finished(plan, folder) else "incomplete", {}, plan, rows
    )


def _checked(experiment: Experiment, root: Path) -> Experiment:
    """The experiment, checked with the options that its search would try or has chosen; registers its plugins.

    Raises:
        ConfigError: something cannot be used.
    """
    configurations = Configurations(experiment)  # registers trainers, whose options may be searched
    if searches(experiment):
        configurations = Configurations(preview_options(experiment, root)[0])
    configurations.check()
    return experiment


def _loaded(experiment: Experiment | str | os.PathLike[str], file: str = "") -> tuple[Experiment, str]:
    """The experiment and the file it came from."""
    if isinstance(experiment, Experiment):
        return experiment, file
    return load_experiment(Path(experiment)), file or os.fspath(experiment)
