"""The runs of candidates, on folds of the training images or on validation images, and their scores."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mvlpt.engine import RESULTS_FILE, read_results
from mvlpt.errors import RunFolderError
from mvlpt.experiment.arms import Run, planned_runs
from mvlpt.experiment.choice.estimation import fold_experiment, fold_name
from mvlpt.experiment.search.search_file import SearchCandidate
from mvlpt.experiment.search.settings import SearchSettings
from mvlpt.experiment.search.space import Space
from mvlpt.experiment.spec import Experiment


@dataclass(frozen=True)
class Trial:
    """A candidate of one trainer in one arm, and the runs that score it.

    Attributes:
        trainer: configuration file.
        arm: ``single`` or ``all``.
        options: the values.
        runs: one for each fold, and in the arm ``single`` for each task.
    """

    trainer: str
    arm: str
    options: Mapping[str, Any]
    runs: tuple[Run, ...]


def trial_of(
    experiment: Experiment, trainer: str, arm: str, space: Space, options: Mapping[str, Any], settings: SearchSettings
) -> Trial:
    """A candidate and its runs, with the smallest number of shots and the first seed."""
    plain = dataclasses.replace(_plain(experiment), options={**space.fixed, **options})
    folds = range(settings.folds) if settings.split == "folds" else (None,)
    return Trial(trainer, arm, options, tuple(_runs(plain, trainer, arm, folds, settings.folds, _name(options))))


def _runs(
    experiment: Experiment, trainer: str, arm: str, folds: Sequence[int | None], count: int, name: str
) -> Iterator[Run]:
    for fold in folds:
        part = dataclasses.replace(fold_experiment(experiment, trainer, fold, count), arms=(arm,))
        where = name if fold is None else f"{name}/{fold_name(fold, count)}"
        for run in planned_runs(part):
            yield dataclasses.replace(run, name=f"{where}/{run.name}")


def _name(options: Mapping[str, Any]) -> str:
    """The folder of a candidate; the same values have the same one, however often they are drawn."""
    content = json.dumps(sorted(options.items()), default=str)
    return f"try-{hashlib.sha256(content.encode()).hexdigest()[:8]}"


def plan_experiment(experiment: Experiment, trainer: str) -> Experiment:
    """The experiment that a plan of trials is made for; the runs bring their own options."""
    base = fold_experiment(_plain(experiment), trainer, None, 0)
    return dataclasses.replace(base, trainers=experiment.trainers)


def _plain(experiment: Experiment) -> Experiment:
    """Its tasks and trainers without options of its own, nor what it compares them with."""
    return dataclasses.replace(
        experiment, options={}, arm_options={}, source_options={}, search={}, baselines=(), chosen_options={}
    )


def scored(trial: Trial, name: str, own_names: Mapping[str, str], folders: Mapping[str, Path]) -> SearchCandidate:
    """The scores of a candidate whose runs have finished.

    A task's score is the mean over its folds, weighted by their images. The error is that of the mean over tasks, as
    if every image were an independent answer.

    Args:
        trial: the candidate.
        name: of its trainer's folder.
        own_names: each task's name in the experiment and its name in results.
        folders: of the runs, by their names.

    Raises:
        RunFolderError: a run has no score for its task.
    """
    answers: dict[str, list[tuple[float, int]]] = {task: [] for task in own_names.values()}
    for run in trial.runs:
        file = folders[run.name] / RESULTS_FILE
        rows = {row["task"]: row for row in read_results(file) if row["split"] == "val"}
        for task in run.tasks:
            if own_names[task] not in rows:
                raise RunFolderError(f"{file} has no score of '{own_names[task]}'; delete its folder")
            row = rows[own_names[task]]
            answers[own_names[task]].append((row["value"] if row["higher_is_better"] else -row["value"], row["n"]))
    scores, variances = {}, []
    for task, parts in answers.items():
        images = sum(n for _, n in parts)
        share = math.fsum(value * n for value, n in parts) / max(images, 1)
        scores[task] = share
        variances.append(abs(share) * max(100 - abs(share), 0) / max(images, 1))
    error = math.sqrt(math.fsum(variances)) / len(scores)
    return SearchCandidate(name, trial.arm, dict(trial.options), scores, statistics.fmean(scores.values()), error)
