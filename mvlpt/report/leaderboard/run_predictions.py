"""From a run's recorded predictions to the benchmark's files."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mvlpt.data.sources import canonical_name
from mvlpt.errors import DataError, suggest
from mvlpt.io import map_array, read_json, take_field
from mvlpt.report.leaderboard.predictions_json import Header, file_name, write_predictions
from mvlpt.report.leaderboard.shapes import TaskShape, benchmark_shapes

log = logging.getLogger(__name__)

FOLDER, INDEX, FORMAT = "predictions", "index.json", 1  # as mvlpt.engine.predictions writes them
REMEDY = "evaluate the run again"
OTHER_SOURCES = {"torchvision": "torchvision's copy", "folder": "class folders"}


@dataclass(frozen=True)
class TaskPredictions:
    """One task of a run.

    Attributes:
        header: the fields of its file.
        path: the array of probabilities (N, K).
        missing: images that the run could not read.
        source: the source of the data set, which determines the order of its test images.
        sampling: how its training images differ from those of the benchmark, as part of a sentence; empty if they
            do not.
    """

    header: Header
    path: Path
    missing: int
    source: str
    sampling: str = ""

    def open(self) -> np.ndarray:
        """The probabilities, memory-mapped.

        Raises:
            DataError: the file is missing or not an array.
        """
        return map_array(self.path, "f", remedy=REMEDY)


def run_predictions(run: str | Path, model_name: str = "") -> Iterator[TaskPredictions]:
    """The recorded predictions of a run, task by task.

    Args:
        run: its folder.
        model_name: the model's name on the leaderboard; by default trainer and backbone.

    Raises:
        DataError: the run recorded no predictions; the message says how to record them.
    """
    folder = Path(run) / FOLDER
    if not (folder / INDEX).is_file():
        raise DataError(
            f"The run {run} recorded no predictions; repeat its command with --eval-only --model-dir {run}, another "
            "--output-dir, and TEST.PREDICTIONS True at the end"
        )
    where = folder / INDEX
    index = read_json(where, error=DataError, remedy=REMEDY)
    if not isinstance(index, dict) or index.get("format") != FORMAT:
        raise DataError(f"{where} was not written by this version; {REMEDY}")
    take = partial(take_field, where=where, remedy=REMEDY)
    counts = take(index, "parameters", dict)
    shots, seed = take(index, "shots", int, least=-1), take(index, "seed", int, least=-1)
    sampling = _sampling_problem(index)
    for task in take(index, "tasks", list):
        header = Header(
            model_name=model_name or f"{take(index, 'trainer', str)} {take(index, 'backbone', str)}".strip(),
            dataset_name=canonical_name(take(task, "name", str)),
            num_trainable_params=take(counts, "trainable", float, least=0),
            num_params=take(counts, "all", int, least=0),
            num_visual_params=take(counts, "visual", int, least=0),
            num_backbone_params=take(counts, "backbone", int, least=0),
            n_shot=shots,
            rnd_seeds=(0 if shots == 0 else seed,),
        )
        file, source = Path(take(task, "file", str)).name, take(task, "source", str, default="")
        yield TaskPredictions(header, folder / file, take(task, "missing", int, least=0), source, sampling)


def _sampling_problem(index: dict[str, Any]) -> str:
    """How the training images of a run differ from those that the benchmark's rule draws; ``""`` if they do not."""
    shots, seed, sampling = index["shots"], index["seed"], index.get("sampling")
    if shots == 0 or (shots == -1 and sampling is None):
        return ""  # none were drawn, or all
    if not isinstance(sampling, dict) or not sampling:
        return "does not say by which rule its training images were drawn (DATASET.SAMPLING)"
    if shots == sampling.get("shots") == -1:
        return ""
    if sampling.get("rule") != "elevater":
        return f"drew its training images by the rule {sampling.get('rule')!r:.40}, not by the benchmark's"
    if (sampling.get("shots"), sampling.get("seed")) != (shots, seed):
        return (
            f"was evaluated as {shots} shots of seed {seed}, but tuned on {sampling.get('shots', 'various')!s:.20}"
            f" shots of seed {sampling.get('seed', 'various')!s:.20}"
        )
    return ""


def write_run(
    run: str | Path,
    target: str | Path,
    shapes: Mapping[str, TaskShape] | None = None,
    model_name: str = "",
    *,
    any_order: bool = False,
    any_sample: bool = False,
) -> list[tuple[Path, tuple[int, ...]]]:
    """Writes one prediction file for each task of a run.

    Args:
        run: the run's folder.
        target: the folder of the files.
        shapes: the benchmark, by default ELEVATER's 20.
        model_name: see :func:`run_predictions`.
        any_sample: accept prompts whose training images were not drawn by the benchmark's rule. For another benchmark
            than ELEVATER, whose rule is not known, there is only a warning.
        any_order: accept data that was not read from the benchmark's own index files.

    Returns:
        Each file and the shape of its numbers.

    Raises:
        DataError: a task is not in the benchmark, or its predictions have the wrong shape or are incomplete; then
            nothing is written.
    """
    elevater = shapes is None
    shapes = benchmark_shapes() if shapes is None else shapes
    tasks = [(task, task.open()) for task in run_predictions(run, model_name)]
    for task, array in tasks:
        _check(task, array, shapes, run)
        if task.source in OTHER_SOURCES and not any_order:
            raise DataError(
                f"The run {run} read {task.header.dataset_name} from {OTHER_SOURCES[task.source]}, whose order of test"
                " images can differ from the benchmark's index; use the official files, or --any-order"
            )
    for problem in sorted({task.sampling for task, _ in tasks if task.sampling}):
        if elevater and not any_sample:
            raise DataError(f"The run {run} {problem}; train again with DATASET.SAMPLING elevater, or add --any-sample")
        log.warning("The run %s %s", run, problem)
    written: list[tuple[Path, Any]] = []
    for task, array in tasks:
        path = Path(target) / file_name(task.header)
        write_predictions(path, task.header, array)
        written.append((path, (1, *array.shape)))
    return written


def _check(task: TaskPredictions, array: np.ndarray, shapes: Mapping[str, TaskShape], run: str | Path) -> None:
    name = task.header.dataset_name
    if name not in shapes:
        raise DataError(f"'{name}' of the run {run} is not one of the benchmark's data sets{suggest(name, shapes)}")
    if task.missing:
        raise DataError(
            f"{task.missing} of {len(array)} test images of {name} could not be read in the run {run}; the leaderboard "
            "needs a row for each: repair the images and evaluate again"
        )
    wanted = (shapes[name].images, shapes[name].classes)
    if array.shape != wanted:
        raise DataError(
            f"The run {run} has predictions of shape {array.shape} for {name}; the benchmark's test split is {wanted}"
        )
