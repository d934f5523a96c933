"""Running candidates on folds: what that costs, which runs are done, and the estimates that follow."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mvlpt.errors import PlanError
from mvlpt.experiment.choice.estimation import FoldRuns, fold_experiment, read_answers, with_starts
from mvlpt.experiment.events import Event, PlanReady
from mvlpt.experiment.plan import build_plan, keep_plan, plan_of_runs
from mvlpt.experiment.spec import Experiment
from mvlpt.graph import Grouping
from mvlpt.graph.choice import Candidate, Estimates, estimate_scores
from mvlpt.schedule import Plan

RunJobs = Callable[[Plan, Path], str]


class Measuring:
    """The measurements of one trainer at one number of shots.

    Args:
        experiment: with that number of shots only.
        trainer: a configuration file of it.
        candidates: C ways to serve its tasks.
        names: each task's name in the experiment and its name in results, in the order of the columns.
        folds: how many there are.
        folder: of the runs.
        run_jobs: runs a plan in a folder, and returns ``finished``, ``incomplete`` or ``interrupted``.
        on_event: called when a plan is ready.
    """

    def __init__(
        self,
        experiment: Experiment,
        trainer: str,
        candidates: Sequence[Candidate],
        names: Mapping[str, str],
        folds: int,
        folder: Path,
        run_jobs: RunJobs,
        on_event: Callable[[Event], None],
    ) -> None:
        self.experiment, self.trainer, self.candidates, self.names = experiment, trainer, tuple(candidates), names
        self.folds, self.folder, self._run_jobs, self._on_event = folds, folder, run_jobs, on_event
        self._runs = FoldRuns(experiment, trainer, folds)
        self.counts: dict[str, int] = {}
        self._seconds: dict[str, float] = {}
        self._folders: dict[str, Path] = {}

    @property
    def seconds(self) -> Mapping[str, float]:
        """The estimated time of every run of one fold that some candidate needs, by its name without the fold."""
        if not self._seconds:
            everything = [one for candidate in self.candidates for one in self._runs.measurements(candidate, [0])]
            base = fold_experiment(self.experiment, self.trainer, 0, self.folds)
            plan, folders = plan_of_runs(base, self.folder, with_starts(everything))
            seconds = {job.name: job.seconds for job in plan}
            self._seconds = {_without_fold(run): seconds[name] for run, name in folders.items()}
        return self._seconds

    def fold_costs(self) -> dict[str, dict[str, float]]:
        """For each candidate the runs of one fold and their estimated seconds."""
        return {one.name: {run: self.seconds[run] for run in self._needed(one)} for one in self.candidates}

    def next_costs(self, unit: Callable[[float], float]) -> dict[int, float]:
        """What one more fold of each candidate costs, by its row; those with all folds are left out.

        Args:
            unit: makes a cost of a run's seconds.
        """
        found = {}
        for row, candidate in enumerate(self.candidates):
            fold = self.counts.get(candidate.name, 0)
            if fold < self.folds:
                measured = [one for one in self.candidates if self.counts.get(one.name, 0) > fold]
                new = self._needed(candidate).difference(*map(self._needed, measured))
                found[row] = math.fsum(unit(self.seconds[run]) for run in sorted(new)) or unit(0.0) or 1e-9
        return found

    def run(self, counts: Mapping[str, int]) -> None:
        """Measures candidates on so many folds each, besides those that were measured before.

        Raises:
            PlanError: a run has failed.
            KeyboardInterrupt: the runs were interrupted.
        """
        self.counts.update(counts)
        base = fold_experiment(self.experiment, self.trainer, 0, self.folds)
        plan, folders = plan_of_runs(base, self.folder, with_starts(self._measurements()))
        self._folders = {run: self.folder / name for run, name in folders.items()}
        self._on_event(PlanReady(plan, self.folder, keep_plan(plan, self.folder)))
        state = self._run_jobs(plan, self.folder)
        if state == "interrupted":
            raise KeyboardInterrupt
        if state != "finished":
            raise PlanError(
                f"Some runs of the chooser have failed; 'mvlpt schedule status {self.folder}' says which. Then run the"
                " same command again"
            )

    def estimates(self) -> Estimates:
        """Scores and errors (C, T) from what was measured."""
        measured = self._measurements()
        return estimate_scores(*read_answers(measured, self.candidates, self.names, self._folders, self.folds))

    def spent(self) -> tuple[float, int]:
        """The estimated seconds of all runs so far, and their number."""
        runs = {run.name for run in with_starts(self._measurements())}
        return math.fsum(self.seconds[_without_fold(name)] for name in sorted(runs)), len(runs)

    def cost_of_arms(self) -> float:
        """Seconds of the arms single, all, grouped and adapted from both, with all seeds."""
        groups = next((one.groups for one in self.candidates if one.arm == "grouped"), self.candidates[0].groups)
        return cost_of_arms(self.experiment, self.trainer, Grouping(groups), self.folder)

    def _measurements(self) -> list:
        return [
            measurement
            for one in self.candidates
            for measurement in self._runs.measurements(one, range(self.counts.get(one.name, 0)))
        ]

    def _needed(self, candidate: Candidate) -> set[str]:
        return {_without_fold(run.name) for run in with_starts(list(self._runs.measurements(candidate, [0])))}


def cost_of_arms(experiment: Experiment, trainer: str, groups: Grouping, root: Path) -> float:
    """Estimated seconds of the arms single, all, grouped and adapted from both, with all seeds of an experiment."""
    every = dataclasses.replace(
        experiment,
        trainers=(trainer,),
        zero_shot="",
        arms=("single", "all", "grouped", "adapted"),
        adapt_from=("all", "grouped"),
        baselines=(),
        sources=(),
        source_shots=None,
        targets=(),
    )
    return math.fsum(job.seconds for job in build_plan(every, root, groups))


def _without_fold(name: str) -> str:
    return name.partition("/")[2]
