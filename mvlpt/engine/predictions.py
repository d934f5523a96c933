"""Saves the probabilities of a run's test images, task by task, for leaderboards and error analyses.

With ``TEST.PREDICTIONS True`` an evaluation of the test split writes to ``OUTPUT_DIR/predictions/`` one ``.npy`` file
(N, K) of float32 per task, with rows in the order of the task's test index and columns in label order; beside it a
``.jsonl`` file with a line for each row, the image and its labels; and ``index.json``, which describes them. Rows are
written as they arrive: memory does not grow with the test set. :func:`read_predictions` reads all of it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch

from mvlpt.data import TaskInfo, labels_of
from mvlpt.engine.origins import origin_of
from mvlpt.engine.recorded_predictions import PREDICTIONS_FOLDER, PREDICTIONS_FORMAT, PREDICTIONS_INDEX
from mvlpt.engine.results import arm_of
from mvlpt.errors import ConfigError
from mvlpt.io import atomic_write, file_name, json_text, write_json


@contextmanager
def record_predictions(trainer: Any, split: str) -> Iterator[Callable[[torch.Tensor, dict[str, Any]], None]]:
    """Yields a function that takes each batch's scores; the files appear when the block ends without an exception.

    Args:
        trainer: a :class:`mvlpt.engine.SimpleTrainer`; ``TEST.PREDICTIONS`` says whether anything is written.
        split: only the test split is recorded.

    Yields:
        A function of scores (B, K) over the union of classes, and the batch, of which ``index`` and ``task`` are read.

    Raises:
        ConfigError: see :func:`recorded_tasks`.
    """
    cfg = trainer.cfg
    if not cfg.TEST.PREDICTIONS or split != "test":
        yield lambda scores, batch: None
        return
    tasks = recorded_tasks(trainer)
    folder = Path(cfg.OUTPUT_DIR) / PREDICTIONS_FOLDER
    with ExitStack() as stack:
        files = [stack.enter_context(_RowFile.open(folder / array_name(task.name), task)) for task in tasks]
        starts = np.cumsum([0, *(task.sizes.test for task in tasks)])

        def record(scores: torch.Tensor, batch: dict[str, Any]) -> None:
            owners = batch["task"].tolist() if len(tasks) > 1 else [0] * len(scores)
            owners = np.asarray(owners)
            index = np.asarray(batch["index"])
            for owner in np.unique(owners).tolist():
                rows, task = owners == owner, tasks[owner]
                own = scores.detach()[torch.from_numpy(rows).to(scores.device), task.start : task.stop]
                files[owner].put(index[rows] - starts[owner], own.float().softmax(dim=1).cpu().numpy())

        yield record
        for file in files:
            file.finish()
    for task, dataset in zip(tasks, _datasets(trainer), strict=True):
        _write_items(folder / items_name(task.name), getattr(dataset, "test", None) or ())
    write_json(_description(trainer, tasks, files), folder / PREDICTIONS_INDEX)


def recorded_tasks(trainer: Any) -> Sequence[TaskInfo]:
    """The tasks whose predictions can be recorded.

    Raises:
        ConfigError: the trainer's loaders do not say which task an image belongs to.
    """
    tasks = getattr(trainer.dm, "tasks", None)
    if not tasks:
        raise ConfigError(
            f"TEST.PREDICTIONS needs loaders that know their tasks, which those of {trainer.cfg.TRAINER.NAME} do not;"
            " set it to False"
        )
    return tasks


def array_name(task: str) -> str:
    """The file of a task's probabilities."""
    return file_name(task, ".npy")


def items_name(task: str) -> str:
    """The file that names a task's test images and their labels."""
    return file_name(task, ".jsonl")


def _write_items(path: Path, items: Iterable[Any]) -> None:
    with atomic_write(path) as handle:
        for item in items:
            handle.write(json_text({"image": item.impath, "labels": list(labels_of(item))}) + "\n")


def _datasets(trainer: Any) -> Sequence[Any]:
    """The data set of each task."""
    return getattr(trainer.dm.dataset, "members", [trainer.dm.dataset])


class _RowFile:
    """A ``.npy`` file whose rows may be written in any order.

    Args:
        handle: the file, opened for writing bytes.
        task: its test images and classes give the shape.
    """

    def __init__(self, handle: IO[bytes], task: TaskInfo) -> None:
        self._handle = handle
        self._shape = (task.sizes.test, task.num_classes)
        self._width = 4 * task.num_classes
        self._seen = np.zeros(task.sizes.test, dtype=bool)
        header = {"descr": "<f4", "fortran_order": False, "shape": self._shape}
        np.lib.format.write_array_header_1_0(handle, header)
        self._start = handle.tell()

    @classmethod
    @contextmanager
    def open(cls, path: Path, task: TaskInfo) -> Iterator[_RowFile]:
        """Replaces ``path`` when the block ends without an exception."""
        with atomic_write(path, "wb") as handle:
            yield cls(handle, task)

    @property
    def missing(self) -> int:
        """How many rows have not been written."""
        return int((~self._seen).sum())

    def put(self, indices: np.ndarray, rows: np.ndarray) -> None:
        """Writes ``rows[b]`` to row ``indices[b]``."""
        for run in np.split(np.arange(len(indices)), np.flatnonzero(np.diff(indices) != 1) + 1):
            if len(run):
                self._handle.seek(self._start + int(indices[run[0]]) * self._width)
                self._handle.write(np.ascontiguousarray(rows[run], dtype="<f4").tobytes())
        self._seen[indices] = True

    def finish(self) -> None:
        """Fills rows that were never written with NaN."""
        empty = np.full(self._shape[1], np.nan, dtype="<f4").tobytes()
        for index in np.flatnonzero(~self._seen).tolist():
            self._handle.seek(self._start + index * self._width)
            self._handle.write(empty)
        self._handle.seek(0, os.SEEK_END)


def _description(trainer: Any, tasks: Sequence[TaskInfo], files: Sequence[_RowFile]) -> dict[str, Any]:
    cfg, arm = trainer.cfg, arm_of(trainer.cfg)
    return {
        "format": PREDICTIONS_FORMAT,
        "trainer": cfg.TRAINER.NAME,
        "backbone": cfg.MODEL.BACKBONE.NAME,
        "arm": arm,
        "shots": 0 if arm == "zero_shot" else cfg.DATASET.NUM_SHOTS,
        "seed": cfg.SEED,
        # an evaluation did not draw the images that its prompt was tuned on
        "sampling": getattr(trainer, "loaded_sampling", dict(origin_of(trainer).sampling)),
        "parameters": parameter_counts(trainer),
        "tasks": [
            {
                "name": task.name,
                "file": array_name(task.name),
                "items": items_name(task.name),
                "images": task.sizes.test,
                "classes": list(task.classnames),
                "metric": task.metric,
                "multi_label": task.multi_label,
                "source": getattr(dataset, "source", ""),
                "missing": file.missing,
            }
            for task, file, dataset in zip(tasks, files, _datasets(trainer), strict=True)
        ],
    }


def parameter_counts(trainer: Any) -> dict[str, int]:
    """Numbers of parameters: ``trainable``, ``all`` (frozen and trained), ``visual``, ``backbone``."""
    registered = [trainer._models[name] for name in trainer.get_model_names()]
    own = {id(p): p for model in registered for p in model.parameters()}
    frozen = getattr(getattr(trainer, "backbone", None), "model", None)
    backbone = {id(p): p for p in frozen.parameters()} if frozen is not None else {}
    visual = trainer.backbone.visual.parameters() if frozen is not None else ()
    return {
        "trainable": sum(p.numel() for p in own.values() if p.requires_grad),
        "all": sum(p.numel() for p in {**own, **backbone}.values()),
        "visual": sum(p.numel() for p in visual),
        "backbone": sum(p.numel() for p in backbone.values()),
    }
