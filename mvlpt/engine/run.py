"""One run, from a configuration to results on disk: what ``tools/train.py`` does once the options are read."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from yacs.config import CfgNode

from mvlpt.config import check_config, task_names
from mvlpt.data import Datum, TaskInfo
from mvlpt.data.features import fingerprint_items
from mvlpt.data.loading import close_loaders, deaths_explained
from mvlpt.engine.class_results import write_evaluation
from mvlpt.engine.initial import load_weights
from mvlpt.engine.loggers import check_loggers
from mvlpt.engine.origins import ORIGIN, origin_of
from mvlpt.engine.registries import build_trainer
from mvlpt.engine.results import RESULTS_FILE, read_results, result_rows, write_results
from mvlpt.engine.run_folder import RunFolder
from mvlpt.engine.seeding import set_random_seed
from mvlpt.engine.simple_trainer import SimpleTrainer
from mvlpt.engine.trainer_base import TrainerBase
from mvlpt.errors import ConfigError, DataError, EvaluationError
from mvlpt.io import write_json

FEATURES_FILE = "features.json"
TASKS = "tasks"  # in run.json: what a classifier needs to know of each task
_OWN_LOOPS = ("TrainerX", "TrainerXU")  # classes whose epochs call forward_backward()


@dataclass(frozen=True)
class RunOutcome:
    """The outcome of a run.

    Attributes:
        rows: its results, as in ``results.jsonl``; empty if nothing was evaluated.
        folder: where they are.
        was_finished: the folder already held this run, finished, so nothing was done.
    """

    rows: list[dict[str, Any]]
    folder: Path
    was_finished: bool = False


def run_config(cfg: CfgNode) -> RunOutcome:
    """Builds the trainer, then trains and evaluates (``RUN.MODE`` train), only evaluates (eval), or stops (build).

    ``features`` encodes the images of a frozen image tower into ``DATALOADER.FEATURE_DIR``, then writes
    ``features.json``.

    Nothing is written before data and model are built. ``cfg`` should be frozen.

    Raises:
        LoaderWorkerError: a worker process of a loader has died.
        EvaluationError: a task cannot be scored; the prompt and the other tasks' scores are written.
        MvlptError: the options, the data or the folder cannot be used.
        Interrupted: the user asked to stop; the state is saved for ``--resume``.
    """
    check_config(cfg)
    if not cfg.TRAINER.NAME:
        raise ConfigError("No trainer is named; give --trainer, for instance --trainer MVLPT-CoOp")
    if not task_names(cfg):
        raise ConfigError("No task is named; give --dataset, for instance --dataset weather-plain")
    check_loggers(cfg.RUN.LOGGER)
    folder = RunFolder(cfg.OUTPUT_DIR)
    if cfg.RUN.MODE in ("train", "eval") and folder.finished_already(cfg):
        results = folder.path / RESULTS_FILE
        return RunOutcome(read_results(results) if results.exists() else [], folder.path, was_finished=True)
    if cfg.RUN.THREADS:
        torch.set_num_threads(cfg.RUN.THREADS)
    set_random_seed(cfg.SEED)
    trainer = build_trainer(cfg)
    if cfg.RUN.MODE == "build":
        return RunOutcome([], folder.path)
    if cfg.RUN.MODE == "features":
        return _features(trainer, cfg)
    _load_initial_model(trainer, cfg)
    if cfg.RUN.MODE == "train":
        _check_can_train(trainer)
    if cfg.RUN.MODE == "train" and trainer.get_model_names() and trainer.train_loader_x is None:
        raise DataError(_without_training_images(trainer, cfg))
    with folder.open(cfg, _metadata(trainer)), _workers_ended(trainer), deaths_explained():
        keep_samples = getattr(trainer.dm, "keep_samples", None)
        if keep_samples is not None and cfg.RUN.MODE == "train" and trainer.get_model_names():
            keep_samples(folder.path / "samples")
        epoch = 0
        try:
            if cfg.RUN.MODE == "eval":
                trainer.test()
            else:
                trainer.train()
                epoch = trainer.max_epoch if trainer.final_epoch is None else trainer.final_epoch
        except EvaluationError:
            final = trainer.final_epoch
            if cfg.RUN.MODE == "eval" or final is not None:  # not while a validation split selected the epoch
                _write_rows(trainer, cfg, folder.path, final or 0)
            raise
        rows = _write_rows(trainer, cfg, folder.path, epoch)
        skipped = _skipped_images(trainer)
        if skipped:
            folder.add_metadata(skipped_images=skipped)
    return RunOutcome(rows, folder.path)


@contextmanager
def _workers_ended(trainer: Any) -> Iterator[None]:
    """Ends the processes that read images: those that Python's collector finds keep it waiting for 5 s each."""
    try:
        yield
    finally:
        for owner in (trainer, trainer.dm):  # a trainer may have loaders of its own
            close_loaders(owner)


def _without_training_images(trainer: Any, cfg: CfgNode) -> str:
    """Why nothing can be trained, and what to do."""
    tasks = ", ".join(task_names(cfg))
    if getattr(trainer, "train_loader_u", None) is not None:
        return (
            f"{tasks} has training images without labels only; set DATASET.PSEUDO_LABELS.METHOD to fpl, ifpl or grip,"
            " or give images with labels"
        )
    return f"{tasks} has no training images; evaluate with --eval-only --model-dir RUN"


def _load_initial_model(trainer: Any, cfg: CfgNode) -> None:
    """Loads the models of ``RUN.INIT_FROM``, which an evaluation needs."""
    names = trainer.get_model_names()
    if cfg.RUN.INIT_FROM:
        load_weights(trainer, cfg.RUN.INIT_FROM, cfg.RUN.INIT_EPOCH)
    elif cfg.RUN.MODE == "eval" and names:
        raise ConfigError("--eval-only needs --model-dir, the run or the prompt that is evaluated")


def _write_rows(trainer: Any, cfg: CfgNode, folder: Path, epoch: int) -> list[dict[str, Any]]:
    """Adds the scores on ``TEST.SPLIT`` to the run's results; returns them as rows."""
    sampling = getattr(trainer, "loaded_sampling", None) or {} if cfg.RUN.MODE == "eval" else {}
    scores = trainer.task_scores.get(cfg.TEST.SPLIT, ())
    rows = result_rows(cfg, scores, cfg.TEST.SPLIT, epoch, prompt_shots=sampling.get("shots"))
    if rows:
        write_results(rows, folder / RESULTS_FILE)
        _write_class_results(trainer, cfg, folder, epoch)
    return rows


def _write_class_results(trainer: Any, cfg: CfgNode, folder: Path, epoch: int) -> None:
    """Writes what the evaluator found for each class, where its last evaluation is the one that was scored."""
    results = getattr(getattr(trainer, "evaluator", None), "class_results", None)
    scored = [(score.task, score.value) for score in trainer.task_scores[cfg.TEST.SPLIT]]
    if results and {(one.task, one.value) for one in results} <= set(scored):
        write_evaluation(results, folder, cfg.TEST.SPLIT, epoch)


def _features(trainer: Any, cfg: CfgNode) -> RunOutcome:
    """Encodes every split; the record is written last, so that its presence shows that all features are saved."""
    keep = getattr(trainer, "keep_features", None)
    if keep is None:
        raise ConfigError(f"{cfg.TRAINER.NAME} does not say which image features it reads, so none can be kept for it")
    record = {"tasks": task_names(cfg), "folder": cfg.DATALOADER.FEATURE_DIR, "images": keep()}
    write_json(record, Path(cfg.OUTPUT_DIR) / FEATURES_FILE)
    return RunOutcome([], Path(cfg.OUTPUT_DIR))


def _check_can_train(trainer: Any) -> None:
    """Refuses a trainer that has nothing to train, or nothing to train on, or that does not say how."""
    kind, share = type(trainer), trainer.cfg.RUN.START_SHARE
    if share and kind.train is not SimpleTrainer.train:
        raise ConfigError(
            f"RUN.START_SHARE is {share:g}, but {kind.__name__} trains in a way of its own and has no step for it; set "
            "it to 0"
        )
    if kind.train is not SimpleTrainer.train or kind.run_epoch.__qualname__.split(".")[0] not in _OWN_LOOPS:
        return  # it trains in a way of its own
    if kind.forward_backward is not TrainerBase.forward_backward:
        ready = kind.before_train is SimpleTrainer.before_train and kind.before_epoch is TrainerBase.before_epoch
        if ready and trainer.train_loader_x is not None:  # no hook makes loaders
            trainer.count_batches()  # refuses a TrainerXU without unlabelled images
        return
    if trainer.get_model_names():
        raise ConfigError(
            f"The trainer {kind.__name__} does not define forward_backward(batch), the hook that makes a training step"
        )
    raise ConfigError(
        f"The trainer {kind.__name__} registers no model and has nothing to train; evaluate it with --eval-only"
    )


def _skipped_images(trainer: Any) -> list[str]:
    """Images left out because they cannot be read (``DATASET.ON_BAD_IMAGE skip``)."""
    loaders = (trainer.train_loader_x, trainer.train_loader_u, trainer.val_loader, trainer.test_loader)
    return sorted({path for loader in loaders for path in getattr(loader, "skipped", ())})


def _metadata(trainer: Any) -> dict[str, Any]:
    """The entries of ``run.json`` besides times and versions."""
    device = trainer.device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    metadata: dict[str, Any] = {"device": name, "threads": torch.get_num_threads()}
    items = getattr(trainer.dm.dataset, "train_x", None)
    if items and isinstance(items[0], Datum):
        metadata["data"] = fingerprint_items(items)
    tasks = [task.as_record() for task in getattr(trainer.dm, "tasks", None) or () if isinstance(task, TaskInfo)]
    metadata |= {TASKS: tasks} if tasks else {}
    if trainer.get_model_names():
        metadata[ORIGIN] = origin_of(trainer).as_record()
    models = [trainer._models[name] for name in trainer.get_model_names()]
    metadata["trained_parameters"] = sum(p.numel() for m in models for p in m.parameters() if p.requires_grad)
    return metadata


def __getattr__(name: str) -> Any:
    if name == "run":
        warnings.warn("mvlpt.engine.run.run is now mvlpt.engine.run_config", DeprecationWarning, stacklevel=2)
        return run_config
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
