"""A trainer built from a configuration: data, model, evaluation, checkpoints, resume (Dassl's ``SimpleTrainer``)."""

from __future__ import annotations

import datetime
import logging
import math
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from yacs.config import CfgNode

from mvlpt.config import task_names
from mvlpt.data import DataManager
from mvlpt.engine.checkpoints import find_checkpoint, load_checkpoint
from mvlpt.engine.evaluation import TaskScore, build_evaluator
from mvlpt.engine.identity import config_identity
from mvlpt.engine.predictions import recorded_predictions
from mvlpt.engine.resume import load_resume_state, save_resume_state, set_random_state
from mvlpt.engine.trainer_base import TrainerBase
from mvlpt.errors import CheckpointError, ConfigError
from mvlpt.runtime import Interrupted, StopRequest, TrainingProgress

log = logging.getLogger(__name__)


class SimpleTrainer(TrainerBase):
    """Builds loaders, model and evaluator from ``cfg``, and gives the generic pieces of a run.

    Beyond Dassl's: an unbroken run and one that is killed and resumed end in the same weights; Ctrl-C saves and stops;
    ``test`` keeps each task's score in ``task_scores``.

    Args:
        cfg: a frozen configuration.

    Raises:
        ConfigError: ``best_val`` is asked for and there is no validation split.
    """

    def __init__(self, cfg: CfgNode) -> None:
        super().__init__()
        self.check_cfg(cfg)
        self.device = torch.device("cuda" if cfg.USE_CUDA and torch.cuda.is_available() else "cpu")
        self.start_epoch = self.epoch = 0
        self.max_epoch = cfg.OPTIM.MAX_EPOCH
        self.output_dir = cfg.OUTPUT_DIR
        self.cfg = cfg
        self.scaler: torch.amp.GradScaler | None = None
        self.best_result, self.best_epoch = -math.inf, 0
        self.task_scores: dict[str, list[TaskScore]] = {}
        self._next_batch = 0
        self._saved_at = time.monotonic()
        self._stop = StopRequest()
        self._progress: TrainingProgress | None = None
        self.build_data_loader()
        self._check_validation()
        self.build_model()
        self.evaluator = build_evaluator(cfg, lab2cname=self.lab2cname, tasks=getattr(self.dm, "tasks", None))

    # What subclasses override --------------------------------------------------------------------------------

    def check_cfg(self, cfg: CfgNode) -> None:
        """Refuses a configuration that the trainer cannot use."""

    def build_data_loader(self) -> None:
        """Makes the loaders and what is read off them; a re-implementation sets the same attributes."""
        dm = DataManager(self.cfg)
        self.train_loader_x = dm.train_loader_x
        self.train_loader_u = dm.train_loader_u
        self.val_loader = dm.val_loader
        self.test_loader = dm.test_loader
        self.num_classes = dm.num_classes
        self.num_source_domains = dm.num_source_domains
        self.lab2cname = dm.lab2cname
        self.dm: Any = dm

    def build_model(self) -> None:
        """Makes and registers the models."""
        raise NotImplementedError(f"{type(self).__name__} must say in build_model() what to train")

    def model_inference(self, input: Any) -> torch.Tensor:
        """Scores (B, K) of ``self.model``."""
        return self.model(input)

    def parse_batch_test(self, batch: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
        """Images (B, 3, H, W) and labels, on the device."""
        return batch["img"].to(self.device), batch["label"].to(self.device)

    # Training ------------------------------------------------------------------------------------------------

    def train(self) -> None:  # type: ignore[override]
        """Trains, evaluates, and leaves the results in ``task_scores``.

        Raises:
            Interrupted: the user asked to stop; the state is saved.
        """
        with ExitStack() as stack:
            self._stop = stack.enter_context(StopRequest())
            self._stack = stack
            super().train(self.start_epoch, self.max_epoch)

    def before_train(self) -> None:
        """Takes up the state of an earlier part of the run, if there is one; opens TensorBoard."""
        self.start_epoch = self.resume_model_if_exist(self.cfg.RESUME) if self.cfg.RESUME else 0
        if self.cfg.RUN.TENSORBOARD:
            self.init_writer(Path(self.output_dir) / "tensorboard")
        self.time_start = self._saved_at = time.monotonic()
        try:
            steps = len(self.train_loader_x)
        except TypeError:
            steps = 0
        done = self.start_epoch * steps + self._next_batch
        live = None if self.cfg.VERBOSE else False
        self._progress = self._stack.enter_context(TrainingProgress(steps * self.max_epoch, done, live))

    def begin_epoch(self) -> int:
        """Tells the data manager the epoch; returns the batch to start at, 0 but right after a resume."""
        start, self._next_batch = self._next_batch, 0
        set_epoch = getattr(self.dm, "set_epoch", None)
        if set_epoch is not None:
            set_epoch(self.epoch, start_batch=start)
        return start

    def after_step(self, next_batch: int) -> None:
        """Called between two steps: stops here if the user asked to.

        Raises:
            Interrupted: after the state is saved.
        """
        if self._stop.requested:
            self.save_resume(self.epoch, next_batch)
            raise Interrupted(f"Stopped in epoch {self.epoch + 1} after batch {next_batch}")

    def after_epoch(self) -> None:
        """Validates and saves, as the configuration says."""
        last = self.epoch + 1 == self.max_epoch
        frequency = self.cfg.TRAIN.CHECKPOINT_FREQ
        if self._selects_on_validation():
            result = self.test(split="val")
            if result > self.best_result:
                self.best_result, self.best_epoch = result, self.epoch + 1
                self.save_model(self.epoch, self.output_dir, val_result=result, model_name="model-best.pth.tar")
        if last or (frequency > 0 and (self.epoch + 1) % frequency == 0):
            self.save_model(self.epoch, self.output_dir)
        if not last and (time.monotonic() - self._saved_at >= self.cfg.RUN.SAVE_EVERY or self._stop.requested):
            self.save_resume(self.epoch + 1, 0)
        if self._stop.requested and not last:
            raise Interrupted(f"Stopped after epoch {self.epoch + 1}")

    def after_train(self) -> None:
        """Evaluates the final model."""
        self.final_epoch = self.max_epoch
        if not self.cfg.TEST.NO_TEST:
            if self._selects_on_validation():
                self.load_model(self.output_dir)
                self.final_epoch = self._best_epoch_on_disk()
                log.info("Testing the model of epoch %d, the best on validation", self.final_epoch)
            self.test()
        elapsed = datetime.timedelta(seconds=round(time.monotonic() - self.time_start))
        log.info("Trained %d epochs in %s", self.max_epoch - self.start_epoch, elapsed)
        self.close_writer()

    # Evaluation ----------------------------------------------------------------------------------------------

    @torch.no_grad()
    def test(self, split: str | None = None) -> float:
        """Evaluates on ``split`` (default ``TEST.SPLIT``) and returns the number that selects models, in percent.

        Raises:
            ConfigError: the validation split is asked for and there is none.
        """
        self.set_model_mode("eval")
        self.evaluator.reset()
        split = split or self.cfg.TEST.SPLIT
        if split == "val" and self.val_loader is None:
            raise ConfigError("TEST.SPLIT is 'val', but the task has no validation split; set TEST.SPLIT test")
        several = len(getattr(self.dm, "tasks", ())) > 1
        with recorded_predictions(self, split) as record:
            for batch in self.evaluation_batches(split):
                input, label = self.parse_batch_test(batch)
                output = self.model_inference(input)
                if several:
                    self.evaluator.process(output, label, task=batch["task"])
                else:
                    self.evaluator.process(output, label)
                record(output, batch)
        results = self.evaluator.evaluate()
        self.task_scores[split] = list(getattr(self.evaluator, "task_scores", ()))
        for name, value in results.items():
            self.write_scalar(f"{split}/{name}", value, self.epoch)
        first = next(iter(results))
        log.debug("%s: %s", split, ", ".join(f"{name} {value:.2f}" for name, value in results.items()))
        return results[first]

    def evaluation_batches(self, split: str) -> Any:
        """The batches of a split."""
        return self.val_loader if split == "val" else self.test_loader

    # Checkpoints and resume ----------------------------------------------------------------------------------

    def save_resume(self, epoch: int, next_batch: int) -> None:
        """Saves all that is needed to go on at ``next_batch`` of ``epoch`` (both from 0)."""
        models = {}
        for name in self.get_model_names():
            optim, sched = self._optims[name], self._scheds[name]
            models[name] = {
                "state_dict": self._models[name].state_dict(),
                "optimizer": optim.state_dict() if optim is not None else None,
                "scheduler": sched.state_dict() if sched is not None else None,
            }
        state = {
            "identity": config_identity(self.cfg),
            "epoch": epoch,
            "next_batch": next_batch,
            "best": [float(self.best_result), self.best_epoch],
            "models": models,
            "scaler": self.scaler.state_dict() if self.scaler is not None else None,
        }
        save_resume_state(self.output_dir, state)
        self._saved_at = time.monotonic()

    def resume_model_if_exist(self, directory: str | Path) -> int:
        """Goes on from the state saved in ``directory``; returns the epoch to start with, 0 if there is none.

        Raises:
            CheckpointError: the state belongs to another configuration or does not fit the models.
        """
        state = load_resume_state(directory)
        if state is None:
            log.info("No saved state in %s; the run starts from the beginning", directory)
            return 0
        if state["identity"] != config_identity(self.cfg):
            raise CheckpointError(f"The state in {directory} belongs to a run with other options; give its own options")
        for name, saved in state["models"].items():
            if name not in self._models:
                raise CheckpointError(f"The state in {directory} has a model '{name}', which this trainer does not")
            self.load_model_state(name, saved["state_dict"], f"the state in {directory}")
            if saved["optimizer"] is not None:
                self._optims[name].load_state_dict(saved["optimizer"])
            if saved["scheduler"] is not None:
                self._scheds[name].load_state_dict(saved["scheduler"])
        if self.scaler is not None and state["scaler"]:
            self.scaler.load_state_dict(state["scaler"])
        self.best_result, self.best_epoch = state["best"]
        self._next_batch = state["next_batch"]
        set_random_state(state["random"])
        log.info("Going on in epoch %d, batch %d", state["epoch"] + 1, state["next_batch"] + 1)
        return state["epoch"]

    def get_current_lr(self, names: str | list[str] | None = None) -> float:
        """The learning rate of the first group of the first model."""
        optim = self._optims[self.get_model_names(names)[0]]
        return optim.param_groups[0]["lr"] if optim is not None else 0.0

    def _selects_on_validation(self) -> bool:
        return self.cfg.TEST.FINAL_MODEL == "best_val" and not self.cfg.TEST.NO_TEST

    def _best_epoch_on_disk(self) -> int:
        names = self.get_model_names()
        return load_checkpoint(find_checkpoint(self.output_dir, names[0]))["epoch"] if names else self.max_epoch

    def _check_validation(self) -> None:
        if self._selects_on_validation() and self.val_loader is None:
            tasks = ", ".join(task_names(self.cfg))
            raise ConfigError(
                f"TEST.FINAL_MODEL is best_val, but {tasks} has no validation split; test data never selects a model:"
                " set TEST.FINAL_MODEL last_step, or take a task with a validation split"
            )
