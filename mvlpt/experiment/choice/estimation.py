"""The runs that estimate how well prompts serve tasks: each is tuned without one fold, and tested on it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mvlpt.engine import RESULTS_FILE, read_results
from mvlpt.errors import ConfigError, RunFolderError
from mvlpt.experiment.arms import ArmSetting, Run, StartPrompt, folder_name
from mvlpt.experiment.arms.adapted import adaptation_run
from mvlpt.experiment.arms.runs import hashed_name
from mvlpt.experiment.arms.shared import sharing_arm, tuned_run
from mvlpt.experiment.configurations import Configurations
from mvlpt.experiment.spec import Experiment
from mvlpt.graph.choice import Candidate, PromptSource
from mvlpt.io import counted

# Folds take the place of validation images, so they may not choose an epoch; other files are the experiment's business.
FIXED = {"TEST.SPLIT": "val", "TEST.FINAL_MODEL": "last_step", "TEST.NO_TEST": False, "DATASET.SAMPLES_DIR": ""}


@dataclass(frozen=True)
class Measurement:
    """One score that is measured.

    Attributes:
        candidate: its name.
        task: the experiment's name for it.
        fold: that is left out.
        run: that leaves the score.
    """

    candidate: str
    task: str
    fold: int
    run: Run


def fold_experiment(experiment: Experiment, trainer: str, fold: int | None, folds: int) -> Experiment:
    """An experiment with the smallest number of shots, its first seed, and one fold of the images left out.

    Args:
        experiment: what is compared.
        trainer: a configuration file of it.
        fold: its number; ``None`` leaves nothing out, and tests on the validation images.
        folds: how many there are.
    """
    left_out = {} if fold is None else {"DATASET.FOLDS": folds, "DATASET.FOLD": fold}
    return dataclasses.replace(
        experiment,
        trainers=(trainer,),
        zero_shot="",
        arms=("single", "all"),
        adapt_from=(),
        shots=(experiment.fewest_shots,),
        seeds=(experiment.seeds[0],),
        options={**experiment.options, **FIXED, **left_out},
        arm_options={arm: {**given, **FIXED, **left_out} for arm, given in experiment.arm_options.items()},
        baselines=(),
        sources=(),
        source_shots=None,
        targets=(),
        grouping={},
        features=False,  # few images are tested, none of the test split
    )


def fold_name(fold: int, folds: int) -> str:
    """The folder of the runs that leave out a fold: another one for another number of folds."""
    return f"fold{fold}of{folds}"


def check_folds(experiment: Experiment, folds: int, key: str) -> None:
    """Refuses folds that the tasks' images cannot be split into, before anything is trained.

    Args:
        experiment: whose tasks.
        folds: how many.
        key: of the experiment file that sets the number.

    Raises:
        ConfigError: folds of images with one image a class, or more folds than a task has classes or images.
    """
    shots, configurations = experiment.fewest_shots, Configurations(experiment)
    unit = str(experiment.overrides().get("DATASET.FOLD_UNIT", "auto"))
    if shots == 1 and unit == "images":
        raise ConfigError(
            "DATASET.FOLD_UNIT is images, but with one image a class no fold can leave images out; use shots of at "
            "least 2, or DATASET.FOLD_UNIT auto"
        )
    for task in experiment.tasks:
        classes = configurations.size(task).classes
        if shots == 1 or unit == "classes":
            if classes < folds:
                fewer = f"set fewer with {key}, " if classes > 1 else ""
                raise ConfigError(
                    f"Task '{task}' has {counted(classes, 'class')}, which cannot be split into {folds} "
                    f"folds; {fewer}give more shots, or leave the task out"
                )
        elif 0 < shots * classes < folds:
            raise ConfigError(
                f"Task '{task}' has {shots * classes} training images, which cannot be split into {folds} folds; set "
                f"fewer with {key}, or give more shots"
            )


def leaves_out_classes(experiment: Experiment) -> bool:
    """Whether folds leave out classes, not images of every class."""
    unit = str(experiment.overrides().get("DATASET.FOLD_UNIT", "auto"))
    return unit == "classes" or (unit == "auto" and experiment.fewest_shots == 1)


class FoldRuns:
    """The runs of candidates under one trainer; a prompt that several candidates need is tuned once.

    Args:
        experiment: what is compared.
        trainer: a configuration file of it.
        folds: how many there are.
    """

    def __init__(self, experiment: Experiment, trainer: str, folds: int) -> None:
        self._experiment, self._trainer, self._folds = experiment, trainer, folds
        self._shared: dict[tuple[tuple[str, ...], int], Run] = {}
        self._served: dict[tuple[PromptSource, str, int], Run] = {}

    def measurements(self, candidate: Candidate, folds: Sequence[int]) -> Iterator[Measurement]:
        """The scores of a candidate on some folds."""
        for fold in folds:
            for task in self._experiment.tasks:
                run = self._run(candidate.source_of(task), task, fold)
                yield Measurement(candidate.name, task, fold, run)

    def _run(self, source: PromptSource, task: str, fold: int) -> Run:
        """The run whose prompt serves a task."""
        if not source.adapted:
            return self._tuned(source.tasks, fold)
        key = (source, task, fold)
        if key not in self._served:
            shared = self._tuned(source.tasks, fold)
            start = StartPrompt((shared,), shared.arm, "")
            run = adaptation_run(self._setting(fold), task, shared, start)
            self._served[key] = dataclasses.replace(run, name=f"{fold_name(fold, self._folds)}/{run.name}")
        return self._served[key]

    def _tuned(self, tasks: tuple[str, ...], fold: int) -> Run:
        if (tasks, fold) not in self._shared:
            setting = self._setting(fold)
            arm = sharing_arm(setting, tasks)
            # All tasks together are named as in the experiment, since batches follow the order of the names.
            members = tuple(task for task in self._experiment.tasks if task in tasks) if arm == "all" else tasks
            group = hashed_name("g", tasks) if arm == "grouped" else ""
            folder = folder_name(tasks[0]) if arm == "single" else group
            run = tuned_run(setting, arm, members, group, folder)
            self._shared[tasks, fold] = dataclasses.replace(run, name=f"{fold_name(fold, self._folds)}/{run.name}")
        return self._shared[tasks, fold]

    def _setting(self, fold: int) -> ArmSetting:
        experiment = fold_experiment(self._experiment, self._trainer, fold, self._folds)
        return ArmSetting(experiment, self._trainer, experiment.shots[0], experiment.seeds)


def with_starts(measurements: Sequence[Measurement]) -> Iterator[Run]:
    """Every run of some measurements, those that tune the prompts which others start from included."""
    for one in measurements:
        if one.run.start is not None:
            yield from one.run.start.runs
        yield one.run


def read_answers(
    measurements: Sequence[Measurement],
    candidates: Sequence[Candidate],
    names: Mapping[str, str],
    folders: Mapping[str, Path],
    folds: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Correct answers and tested images, each (C, T, F); 0 images where nothing was measured.

    A metric other than accuracy counts as the share of correct answers.

    Args:
        measurements: whose runs have finished.
        candidates: C of them.
        names: each task's name in the experiment and its name in results, in the order of the columns.
        folders: of the runs, by their names.
        folds: F.

    Raises:
        RunFolderError: a run has no score for its task.
    """
    rows = {candidate.name: row for row, candidate in enumerate(candidates)}
    columns = {task: column for column, task in enumerate(names)}
    correct, shown = (np.zeros((len(candidates), len(names), folds)) for _ in range(2))
    known: dict[str, dict[str, tuple[float, int]]] = {}
    for one in measurements:
        file = folders[one.run.name] / RESULTS_FILE
        if one.run.name not in known:
            scores = sorted(_results(file), key=lambda row: row["epoch"])
            known[one.run.name] = {row["task"]: (row["value"], row["n"]) for row in scores if row["split"] == "val"}
        if names[one.task] not in known[one.run.name]:
            raise RunFolderError(f"{file} has no score of '{names[one.task]}' on validation images; delete its folder")
        value, images = known[one.run.name][names[one.task]]
        index = rows[one.candidate], columns[one.task], one.fold
        correct[index], shown[index] = value / 100 * images, images
    return correct, shown


def _results(file: Path) -> list:
    """The scores of a run.

    Raises:
        RunFolderError: they cannot be read.
    """
    try:
        return read_results(file)
    except RunFolderError as error:
        raise RunFolderError(f"{error}, or delete {file.parent} and run the same command again") from error
