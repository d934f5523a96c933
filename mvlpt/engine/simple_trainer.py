"""A trainer built from a configuration: data, model, evaluation, checkpoints, resume (Dassl's ``SimpleTrainer``)."""

from __future__ import annotations

import logging
import math
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from yacs.config import CfgNode

from mvlpt.data import DataManager
from mvlpt.engine.checkpoints import bring_best, find_checkpoint, load_checkpoint
from mvlpt.engine.evaluated_trainer import EvaluatedTrainer
from mvlpt.engine.evaluator_calls import build_evaluator
from mvlpt.engine.metric_checks import check_evaluation
from mvlpt.engine.optim import build_lr_scheduler, build_optimizer
from mvlpt.engine.overrides import check_options, complete_loaders, correct_device
from mvlpt.engine.own_state import OwnState
from mvlpt.engine.resume import load_resume_state, save_resume_state, set_random_state
from mvlpt.engine.run_state import apply_run_state, resume_without_state, run_state
from mvlpt.engine.run_watchers import RunWatchers
from mvlpt.engine.simple_net import SimpleNet
from mvlpt.engine.start_share import StartShare, start_share
from mvlpt.engine.utils import load_pretrained_weights
from mvlpt.errors import DataError, EvaluationError
from mvlpt.io import counted
from mvlpt.runtime import Interrupted, StopRequest, TrainingProgress, short_time

log = logging.getLogger(__name__)


class SimpleTrainer(EvaluatedTrainer):
    """Builds loaders, model and evaluator from ``cfg``, and gives the generic pieces of a run.

    Beyond Dassl's: an unbroken run and one that is killed and resumed end in the same weights; Ctrl-C saves and stops;
    ``test`` keeps each task's score in ``task_scores``.

    Args:
        cfg: a frozen configuration.

    Raises:
        ConfigError: ``best_val`` is asked for and there is no validation split, or nothing to test on.
    """

    def __init__(self, cfg: CfgNode) -> None:
        super().__init__()
        check_options(self, cfg)
        self.device = torch.device("cuda" if cfg.USE_CUDA and torch.cuda.is_available() else "cpu")
        self.start_epoch = self.epoch = 0
        self.max_epoch = cfg.OPTIM.MAX_EPOCH
        self.output_dir = cfg.OUTPUT_DIR
        self.cfg = cfg
        self.scaler: torch.amp.GradScaler | None = None
        self.best_result, self.best_epoch = -math.inf, 0
        self._next_batch = 0
        self._pending: dict[str, Any] | None = None
        self._start_share: StartShare | None = None
        self._saved_at = time.monotonic()
        self._progress: TrainingProgress | None = None
        self.build_data_loader()
        complete_loaders(self)
        check_evaluation(self)
        self.build_model()
        correct_device(self)
        self.evaluator = build_evaluator(cfg, lab2cname=self.lab2cname, tasks=getattr(self.dm, "tasks", None))
        self._own_state = OwnState(self)
        if not self.tests_on_loaders:
            self.test = self._recorded_test

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
        """Makes and registers the models; by default the network of ``MODEL.BACKBONE`` with a classifier."""
        self.model = SimpleNet(self.cfg, self.cfg.MODEL, self.num_classes)
        if self.cfg.MODEL.INIT_WEIGHTS:
            load_pretrained_weights(self.model, self.cfg.MODEL.INIT_WEIGHTS)
        self.model.to(self.device)
        self.optim = build_optimizer(self.model, self.cfg.OPTIM)
        self.sched = build_lr_scheduler(self.optim, self.cfg.OPTIM)
        self.register_model("model", self.model, self.optim, self.sched)

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
            self._start_share = start_share(self, self.cfg)
            self._stack, self._watchers = stack, stack.enter_context(RunWatchers(self))
            for _ in self._epochs(self.start_epoch, self.max_epoch):
                self.run_epoch()

    def before_train(self) -> None:
        """Takes up the state of an earlier part of the run, if there is one; opens TensorBoard."""
        self.start_epoch = self.resume_model_if_exist(self.cfg.RESUME) if self.cfg.RESUME else 0
        if self.best_epoch and self._selects_on_validation():  # the test looks for that model in this run's own folder
            bring_best(self.cfg.RESUME, self.output_dir, self.get_model_names())
        source, own = (Path(folder).absolute() for folder in (self.cfg.RESUME, self.output_dir))
        if self.start_epoch >= self.max_epoch > 0 and source != own:
            self.save_model(self.max_epoch - 1, self.output_dir)  # nothing else would save the last model there
        if self.cfg.RUN.TENSORBOARD and "tensorboard" in self.cfg.RUN.LOGGER:
            self.init_writer(Path(self.output_dir) / "tensorboard")
        self.time_start = self._saved_at = time.monotonic()
        try:
            steps = self.count_batches()
        except (TypeError, DataError):  # a loader of its own without a length, or none
            steps = 0
        done = self.start_epoch * steps + self._next_batch
        live = None if self.cfg.VERBOSE else False
        self._progress = self._stack.enter_context(TrainingProgress(steps * self.max_epoch, done, live))

    def count_batches(self) -> int:
        """Steps in an epoch."""
        return len(self.train_loader_x)

    @property
    def resumes_inside(self) -> bool:
        """Whether an epoch can be taken up between two of its steps: the engine runs the steps and orders the images.

        A trainer with a ``run_epoch`` or loaders of its own is taken up at the beginning of the epoch it was in.
        """
        loaders = [loader for loader in (self.train_loader_x, self.train_loader_u) if loader is not None]
        ordered = all(hasattr(loader, "set_epoch") for loader in loaders)
        return ordered and getattr(type(self).run_epoch, "resumes_inside", False)

    def _enter_epoch(self) -> None:
        if self._pending is not None:  # again: hooks may have changed since what resuming put back
            self._restore(self._pending)
        if not self.resumes_inside:
            self.save_resume(self.epoch, 0)
            self.forward_backward = self._interruptible_step

    def _enter_steps(self) -> None:
        if self._pending is not None and self._next_batch:  # before_epoch() has run in this epoch before
            self._restore(self._pending)
        self._pending = None
        if not self.resumes_inside:
            self.begin_epoch()

    def _leave_epoch(self) -> None:
        last = self.epoch + 1 == self.max_epoch
        if last:
            log.debug("Finish training", extra={"plain": True})
            if failure := self.epoch_log.failure():
                log.warning(failure)
        if time.monotonic() - self._saved_at >= self.cfg.RUN.SAVE_EVERY or self._stop.requested:
            self.save_resume(self.epoch + 1, 0)
        if self._stop.requested and not last:  # the test stops by itself
            raise Interrupted(f"Stopped after epoch {self.epoch + 1}")

    def _interruptible_step(self, *batches: Any) -> Any:
        """The step of a trainer that runs its epochs itself.

        Raises:
            Interrupted: the user asked to stop; the state of the epoch's beginning is saved.
        """
        if self._stop.requested:
            raise Interrupted(f"Stopped in epoch {self.epoch + 1}, which will begin again")
        return type(self).forward_backward(self, *batches)

    def begin_epoch(self) -> int:
        """Says the epoch to the loaders; returns the batch to start at, 0 but right after a resume."""
        start, self._next_batch = self._next_batch, 0
        for loader in (self.train_loader_x, self.train_loader_u):
            if hasattr(loader, "set_epoch"):
                loader.set_epoch(self.epoch, start)
        return start

    def after_step(self, next_batch: int) -> None:
        """Called between two steps: stops here if the user asked to.

        Raises:
            Interrupted: after the state is saved.
        """
        if self._stop.requested:
            if self.resumes_inside:
                self.save_resume(self.epoch, next_batch)
            raise Interrupted(f"Stopped in epoch {self.epoch + 1} after batch {next_batch}")

    def after_epoch(self) -> None:
        """Validates and saves, as the configuration says."""
        last = self.epoch + 1 == self.max_epoch
        if last and self._start_share is not None:
            self._start_share.blend()
        frequency = self.cfg.TRAIN.CHECKPOINT_FREQ
        try:
            result = self.test(split="val") if self._selects_on_validation() else None
        except EvaluationError as error:  # the next epoch may be better; the test reports what stays so
            log.warning("The model of epoch %d cannot be selected: %s", self.epoch + 1, error)
            result = None
        if result is not None and result > self.best_result:
            self.best_result, self.best_epoch = result, self.epoch + 1
            self.save_model(self.epoch, self.output_dir, val_result=result, model_name="model-best.pth.tar")
        if last or (frequency > 0 and (self.epoch + 1) % frequency == 0):
            self.save_model(self.epoch, self.output_dir)

    def export_model(self) -> None:
        """Hook that writes the final model for other programs; called before the test, which may fail."""

    def after_train(self) -> None:
        """Exports the final model, then evaluates it."""
        self.final_epoch = self.max_epoch
        if self._selects_on_validation():
            self.load_model(self.output_dir)
            self.final_epoch = self._best_epoch_on_disk()
            log.info("Testing the model of epoch %d, the best on validation", self.final_epoch)
        self.export_model()
        if not self.cfg.TEST.NO_TEST:
            self.test()
        seconds = time.monotonic() - self.time_start
        log.info("Trained %s in %s", counted(self.max_epoch - self.start_epoch, "epoch"), short_time(seconds))
        self.close_writer()

    @property
    def tests_on_loaders(self) -> bool:
        """Whether the engine's own :meth:`test` runs, which reads the loaders."""
        return type(self).test is SimpleTrainer.test

    # Checkpoints and resume ----------------------------------------------------------------------------------

    def save_resume(self, epoch: int, next_batch: int) -> None:
        """Saves all that is needed to go on at ``next_batch`` of ``epoch`` (both from 0)."""
        save_resume_state(self.output_dir, run_state(self, epoch, next_batch))
        self._saved_at = time.monotonic()

    def resume_model_if_exist(self, directory: str | Path) -> int:
        """Goes on from the state saved in ``directory``, or else from checkpoints that Dassl left there.

        Returns:
            The epoch to start with, 0 if there is neither.

        Raises:
            CheckpointError: the state belongs to another configuration or does not fit the models.
        """
        state = load_resume_state(directory)
        if state is None:
            return resume_without_state(self, directory)
        self._restore(state)
        self._pending = state
        self._next_batch = state["next_batch"]
        if state["epoch"] >= self.max_epoch:
            log.info("All epochs are done; only the test is left")
        else:
            log.info("Going on in epoch %d, batch %d", state["epoch"] + 1, state["next_batch"] + 1)
        return state["epoch"]

    def _restore(self, state: dict[str, Any]) -> None:
        apply_run_state(self, state, self.cfg.RESUME or self.output_dir)
        set_random_state(state["random"])

    def get_current_lr(self, names: str | list[str] | None = None) -> float:
        """The learning rate of the first group of the first model; 0 without an optimiser."""
        optim = next((self._optims[name] for name in self.get_model_names(names)), None)
        return optim.param_groups[0]["lr"] if optim is not None else 0.0

    def _selects_on_validation(self) -> bool:
        return self.cfg.TEST.FINAL_MODEL == "best_val" and not self.cfg.TEST.NO_TEST

    def _best_epoch_on_disk(self) -> int:
        names = self.get_model_names()
        return load_checkpoint(find_checkpoint(self.output_dir, names[0]))["epoch"] if names else self.max_epoch
