"""Tries candidates as jobs, chooses the best for each trainer and arm, and applies the choice to an experiment."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mvlpt.errors import ConfigError, PlanError
from mvlpt.experiment.choice.estimation import check_folds
from mvlpt.experiment.configurations import Configurations
from mvlpt.experiment.events import Event, OptionsChosen, PlanReady
from mvlpt.experiment.plan import keep_plan, plan_of_runs
from mvlpt.experiment.search.applying import with_first_values, with_options
from mvlpt.experiment.search.sampling import Study
from mvlpt.experiment.search.search_file import Search, SearchCandidate, read_search, write_search
from mvlpt.experiment.search.settings import SearchSettings
from mvlpt.experiment.search.space import MEASURED, Space, measured_arms, searches, space_of
from mvlpt.experiment.search.trials import Trial, plan_experiment, scored, trial_of
from mvlpt.experiment.spec import Experiment
from mvlpt.schedule import Plan

RUNS_FOLDER = "search"  # of the runs, below the experiment's folder
ROUND = 4  # candidates that TPE draws before it looks at their scores, so that jobs can run side by side
DEFAULT_BUDGET = 10
RunJobs = Callable[[Plan, Path], str]


def ensure_options(
    experiment: Experiment, root: Path, *, run_jobs: RunJobs, on_event: Callable[[Event], None] = lambda event: None
) -> Experiment:
    """The experiment with its options chosen; what was chosen before with the same inputs is kept.

    Candidates are scored on images that prompts of these runs were not tuned on, never on test images. An experiment
    that leaves nothing to be chosen is returned as it is.

    Args:
        experiment: with lists of values, or a section ``search``. Its plugins must be registered.
        root: its folder; the runs lie in ``search`` below it.
        run_jobs: runs a plan in a folder, and returns ``finished``, ``incomplete`` or ``interrupted``.
        on_event: called with the plan of each round and with the choice.

    Raises:
        MvlptError: values or settings cannot be used, or a run has failed.
        KeyboardInterrupt: the runs were interrupted.
    """
    if not searches(experiment):
        return experiment
    settings = _settings(experiment)
    search = read_search(root)
    if search is None or search.inputs != _inputs(experiment, settings):
        search = _search(experiment, settings, root, run_jobs, on_event)
        path = write_search(search, root)
        on_event(OptionsChosen(search, path))
    return with_options(experiment, search.choices())


def preview_options(experiment: Experiment, root: Path) -> tuple[Experiment, bool]:
    """The experiment with the options that were chosen before, or else with the first values; and whether it is that.

    Raises:
        ConfigError: values or settings cannot be used.
    """
    if not searches(experiment):
        return experiment, True
    settings = _settings(experiment)
    search = read_search(root)
    if search is not None and search.inputs == _inputs(experiment, settings):
        return with_options(experiment, search.choices()), True
    return with_first_values(experiment), False


def _settings(experiment: Experiment) -> SearchSettings:
    """The settings with method and budget decided.

    Raises:
        ConfigError: an arm that is not measured lists values of its own, a grid is larger than the budget, or nothing
            is to be chosen.
    """
    settings = SearchSettings.from_section(experiment.search)
    for arm, given in {**experiment.arm_options, "source": experiment.source_options}.items():
        listed = [key for key in given if key in space_of(experiment, arm).swept]
        if listed and arm not in MEASURED:
            where = "source_options" if arm == "source" else f"arm_options.{arm}"
            raise ConfigError(
                f"{where} lists values of {listed[0]} to choose from, but candidates are tried in the arms single and"
                f" all only; give one value, or list them under options"
            )
    spaces = [space_of(experiment, arm) for arm in measured_arms(experiment)]
    if not any(space.swept for space in spaces):
        raise ConfigError(
            "The experiment has a section search, but no values to choose from; list them, as in"
            " options: {OPTIM.LR: [0.001, 0.01]}"
        )
    ranges = any(space.has_ranges for space in spaces)
    largest = 0 if ranges else max(len(space.grid()) for space in spaces if space.swept)
    enough = not ranges and (not settings.budget or settings.budget >= largest)
    method = settings.method or ("grid" if enough else "random")
    if method == "grid" and not enough:
        raise ConfigError(
            f"The grid has {largest} candidates, more than search.budget {settings.budget}; raise the budget, or set"
            " search.method to random or tpe"
        )
    budget = largest if method == "grid" else settings.budget or DEFAULT_BUDGET
    if settings.split == "folds":
        check_folds(with_first_values(experiment), settings.folds, "search.folds")
    return dataclasses.replace(settings, method=method, budget=budget)


def _inputs(experiment: Experiment, settings: SearchSettings) -> str:
    """A hash of what a search depends on: another one is made when it changes."""
    spaces = {arm: dataclasses.asdict(space_of(experiment, arm)) for arm in measured_arms(experiment)}
    content = [
        dataclasses.asdict(settings),
        spaces,
        list(experiment.tasks),
        [Path(trainer).as_posix() for trainer in experiment.trainers],
        dict(experiment.backbone),
        [experiment.fewest_shots, experiment.seeds[0]],
    ]
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _search(
    experiment: Experiment,
    settings: SearchSettings,
    root: Path,
    run_jobs: RunJobs,
    on_event: Callable[[Event], None],
) -> Search:
    """Tries all candidates, in rounds for a method that learns."""
    names, configurations = experiment.trainer_names(), Configurations(experiment)
    own_names = {task: configurations.own_name(task) for task in experiment.tasks}
    sources = {
        (trainer, arm): _Source(space_of(experiment, arm), settings)
        for trainer in experiment.trainers
        for arm in measured_arms(experiment)
    }
    folder, trials, found = root / RUNS_FOLDER, [], []
    while fresh := [
        trial_of(experiment, trainer, arm, source.space, options, settings)
        for (trainer, arm), source in sources.items()
        for options in source.next()
    ]:
        trials += fresh
        folders = _run(experiment, trials, folder, run_jobs, on_event)
        scores = [scored(trial, names[trial.trainer], own_names, folders) for trial in fresh]
        found += scores
        for (trainer, arm), source in sources.items():
            source.learn([one.mean for one in scores if (one.trainer, one.arm) == (names[trainer], arm)])
    content = {
        "method": settings.method,
        "split": settings.split,
        **({"folds": settings.folds} if settings.split == "folds" else {}),
        "budget": settings.budget,
        "shots": experiment.fewest_shots,
        "seed": experiment.seeds[0],
        "jobs": sum(len(trial.runs) for trial in trials),
    }
    return Search(tuple(_with_choice(found)), content, _inputs(experiment, settings))


class _Source:
    """Gives the candidates of one trainer and arm, round by round.

    Args:
        space: what to choose from.
        settings: with method and budget.
    """

    def __init__(self, space: Space, settings: SearchSettings) -> None:
        self.space, self._left = space, settings.budget if space.swept else 0
        self._grid = space.grid() if settings.method == "grid" and space.swept else None
        self._round = ROUND if settings.method == "tpe" else settings.budget
        self._study = Study(space, settings.method, settings.seed) if self._grid is None and space.swept else None

    def next(self) -> list[dict[str, Any]]:
        """The candidates of the next round; none where the budget is spent."""
        if self._grid is not None:
            candidates, self._grid, self._left = self._grid, [], 0
            return candidates
        count = min(self._round, self._left)
        self._left -= count
        return self._study.ask(count) if self._study is not None and count else []

    def learn(self, scores: Sequence[float]) -> None:
        """Takes the scores of the candidates of the last round."""
        if self._study is not None:
            self._study.learn(scores)


def _run(
    experiment: Experiment,
    trials: Sequence[Trial],
    folder: Path,
    run_jobs: RunJobs,
    on_event: Callable[[Event], None],
) -> dict[str, Path]:
    """Runs all trials so far, those of earlier rounds have finished; returns the folder of each run by its name.

    Raises:
        PlanError: a run has failed.
        KeyboardInterrupt: the runs were interrupted.
    """
    runs = [run for trial in trials for run in trial.runs]
    plan, folders = plan_of_runs(plan_experiment(experiment, trials[0].trainer), folder, runs)
    on_event(PlanReady(plan, folder, keep_plan(plan, folder)))
    state = run_jobs(plan, folder)
    if state == "interrupted":
        raise KeyboardInterrupt
    if state != "finished":
        raise PlanError(
            f"Some runs of the search have failed; 'mvlpt schedule status {folder}' says which. Then run the same"
            " command again"
        )
    return {run: folder / name for run, name in folders.items()}


def _with_choice(found: Sequence[SearchCandidate]) -> Iterator[SearchCandidate]:
    """Marks the best candidate of each trainer and arm; of equal ones the first."""
    best: dict[tuple[str, str], int] = {}
    for index, one in enumerate(found):
        key = (one.trainer, one.arm)
        if key not in best or one.mean > found[best[key]].mean:
            best[key] = index
    for index, one in enumerate(found):
        yield dataclasses.replace(one, chosen=best[one.trainer, one.arm] == index)
