"""The innermost trainer: registered models, their checkpoints, the loop and its hooks (Dassl's ``TrainerBase``)."""

from __future__ import annotations

import logging
import math
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mvlpt.engine.checkpoints import find_checkpoint, holds_dassl_checkpoints, load_checkpoint, save_checkpoint
from mvlpt.engine.epoch_log import EpochLog
from mvlpt.engine.layers import unwrapped
from mvlpt.engine.origins import ORIGIN, check_checkpoint, origin_of
from mvlpt.engine.run_state import apply_dassl_checkpoints
from mvlpt.errors import CheckpointError, LossError
from mvlpt.io import compare_states, strip_wrappers

log = logging.getLogger(__name__)


class TrainerBase:
    """Keeps models by name, each with an optional optimiser and schedule, and runs epochs between hooks.

    Subclasses give :meth:`run_epoch`, :meth:`test`, :meth:`forward_backward`, :meth:`model_inference` and the two
    ``parse_batch`` methods.
    """

    def __init__(self) -> None:
        self._models: OrderedDict[str, nn.Module] = OrderedDict()
        self._optims: OrderedDict[str, torch.optim.Optimizer | None] = OrderedDict()
        self._scheds: OrderedDict[str, Any] = OrderedDict()
        self._writer: Any = None
        self._watchers: Any = None  # RunWatchers, while a run trains
        self.epoch_log = EpochLog()

    # Models --------------------------------------------------------------------------------------------------

    def register_model(
        self,
        name: str = "model",
        model: nn.Module | None = None,
        optim: torch.optim.Optimizer | None = None,
        sched: Any = None,
    ) -> None:
        """Names a model whose parameters are trained and saved; its folder in the checkpoints has this name."""
        if "_models" not in self.__dict__:
            raise AttributeError("Call super().__init__() before register_model()")
        if name in self._models:
            raise ValueError(f"A model named '{name}' is registered already")
        self._models[name] = model
        self._optims[name] = optim
        self._scheds[name] = sched

    def get_model_names(self, names: str | Sequence[str] | None = None) -> list[str]:
        """The registered names, or ``names`` after a check that each is registered."""
        if names is None:
            return list(self._models)
        asked = [names] if isinstance(names, str) else list(names)
        for name in asked:
            if name not in self._models:
                raise KeyError(f"No model is registered as '{name}'; there are {list(self._models)}")
        return asked

    def resume_model_if_exist(self, directory: str | Path) -> int:
        """Goes on from the last checkpoints in ``directory``; returns the epoch to start with, 0 if there are none."""
        return apply_dassl_checkpoints(self, directory) if holds_dassl_checkpoints(directory) else 0

    def set_model_mode(self, mode: str = "train", names: str | Sequence[str] | None = None) -> None:
        """Puts models into ``train`` or ``eval`` (also ``test``) mode."""
        if mode not in ("train", "eval", "test"):
            raise KeyError(f"Model mode '{mode}' is unknown; use train or eval")
        for name in self.get_model_names(names):
            self._models[name].train(mode == "train")

    # Checkpoints ---------------------------------------------------------------------------------------------

    def save_model(
        self,
        epoch: int,
        directory: str | Path,
        is_best: bool = False,
        val_result: float | None = None,
        model_name: str = "",
    ) -> None:
        """Writes a checkpoint of every model; ``epoch`` counts from 0, the file says how many are done."""
        origin = origin_of(self).as_record()
        for name in self.get_model_names():
            optim, sched = self._optims[name], self._scheds[name]
            state = {
                "state_dict": self._models[name].state_dict(),
                "epoch": epoch + 1,
                "optimizer": optim.state_dict() if optim is not None else None,
                "scheduler": sched.state_dict() if sched is not None else None,
                "val_result": None if val_result is None else float(val_result),
                ORIGIN: origin,
            }
            save_checkpoint(state, Path(directory) / name, is_best=is_best, model_name=model_name)

    def load_model(self, directory: str | Path, epoch: int | None = None) -> None:
        """Loads the weights of every model from a run's folder: of ``epoch``, or else the best, or else the last.

        Raises:
            CheckpointError: a file is missing, broken, or does not fit the model, its classes or its backbone.
        """
        if not directory:
            log.warning("load_model() was given no folder; the models keep the weights they have")
            return
        for name in self.get_model_names():
            path = find_checkpoint(directory, name, epoch)
            checkpoint = load_checkpoint(path)
            check_checkpoint(self, checkpoint, path)
            self.load_model_state(name, checkpoint["state_dict"], str(path))
            result = checkpoint.get("val_result")
            found = f", validation {result:.1f}" if isinstance(result, (int, float)) else ""
            log.info("Loaded %s from %s (epoch %s%s)", name, path, checkpoint.get("epoch", "?"), found)

    def load_model_state(self, name: str, state: dict[str, torch.Tensor], origin: str) -> None:
        """Puts ``state`` into the model ``name``, strictly; trainers override this to rename or drop entries.

        Args:
            name: a registered model.
            state: its state dict.
            origin: where ``state`` comes from, for the message.

        Raises:
            CheckpointError: names or shapes differ; the message lists them.
        """
        model = unwrapped(self._models[name])  # as the names in checkpoints are
        own = model.state_dict()
        state = strip_wrappers(state, own, source=origin)
        if differences := compare_states(own, state):
            raise CheckpointError(f"{origin} does not fit the model '{name}': {differences}")
        model.load_state_dict(state)

    # TensorBoard ---------------------------------------------------------------------------------------------

    def init_writer(self, log_dir: str | Path) -> None:
        """Opens TensorBoard's writer, where TensorBoard is installed."""
        if self._writer is not None:
            return
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            log.info("TensorBoard is not installed (pip install 'mvlpt[report]'); no scalars are written")
            return
        self._writer = SummaryWriter(log_dir=str(log_dir))
        log.info("TensorBoard: tensorboard --logdir %s", log_dir)

    def close_writer(self) -> None:
        """Closes TensorBoard's writer, if there is one."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def write_scalar(self, tag: str, scalar_value: float, global_step: int | None = None) -> None:
        """Writes a scalar for TensorBoard; does nothing without a writer."""
        if self._writer is not None:
            self._writer.add_scalar(tag, scalar_value, global_step)

    # The loop ------------------------------------------------------------------------------------------------

    def train(self, start_epoch: int, max_epoch: int) -> None:
        """Runs the epochs from ``start_epoch`` up to, not including, ``max_epoch``."""
        for _ in self._epochs(start_epoch, max_epoch):
            self.run_epoch()

    def _epochs(self, start_epoch: int, max_epoch: int) -> Iterator[int]:
        """Calls every hook around the epochs; the caller runs each epoch that this yields."""
        self.start_epoch = start_epoch
        self.max_epoch = max_epoch
        self.before_train()
        self._open_epoch_log()
        if self.start_epoch >= self.max_epoch > 0:  # only the test is left, in which the epoch is the last
            self.epoch = self.max_epoch - 1
        for epoch in range(self.start_epoch, self.max_epoch):
            self.epoch = epoch
            self._enter_epoch()
            self.before_epoch()
            self._enter_steps()
            self.epoch_log.begin(epoch, self._learning_rate(), self._validation_scores())
            yield epoch
            self.after_epoch()
            self.epoch_log.end(self._validation_scores())
            self._report_epoch()
            self._leave_epoch()
        self.after_train()

    def _report_epoch(self) -> None:
        """Shows and records the line of the epoch that has ended."""
        if self._watchers is not None:
            self._watchers.epoch_ended()

    def _open_epoch_log(self) -> None:
        """Chooses the folder of ``metrics.csv``; a trainer that has none writes no file."""
        folder = getattr(self, "output_dir", "")
        if folder:
            self.epoch_log.open(folder, self.start_epoch)

    def _learning_rate(self) -> float | None:
        optim = next((optim for optim in self._optims.values() if optim is not None), None)
        return optim.param_groups[0]["lr"] if optim is not None else None

    def _validation_scores(self) -> Any:
        return getattr(self, "task_scores", {}).get("val")

    def _enter_epoch(self) -> None:
        """The engine's own work before the hook :meth:`before_epoch`, whether or not a subclass replaces the hook."""

    def _enter_steps(self) -> None:
        """The engine's own work between :meth:`before_epoch` and :meth:`run_epoch`."""

    def _leave_epoch(self) -> None:
        """The engine's own work after the hook :meth:`after_epoch`."""

    def before_train(self) -> None:
        """Hook before the first epoch."""

    def after_train(self) -> None:
        """Hook after the last epoch."""

    def before_epoch(self) -> None:
        """Hook before each epoch."""

    def after_epoch(self) -> None:
        """Hook after each epoch."""

    def run_epoch(self) -> None:
        """One pass over the training batches."""
        raise NotImplementedError(f"{type(self).__name__} does not say how to run an epoch")

    def test(self, split: str | None = None) -> float:
        """Evaluates on a split and returns the number that selects models."""
        raise NotImplementedError(f"{type(self).__name__} does not say how to test")

    def parse_batch_train(self, batch: dict[str, Any]) -> Any:
        """What :meth:`forward_backward` needs of a batch, on the device."""
        raise NotImplementedError(f"{type(self).__name__} has no parse_batch_train")

    def parse_batch_test(self, batch: dict[str, Any]) -> Any:
        """Input and label of a batch, on the device."""
        raise NotImplementedError(f"{type(self).__name__} has no parse_batch_test")

    def forward_backward(self, batch: dict[str, Any]) -> dict[str, float]:
        """One training step; returns what to log."""
        raise NotImplementedError(f"{type(self).__name__} has no forward_backward")

    def model_inference(self, input: Any) -> torch.Tensor:
        """Scores (B, K) for a batch."""
        raise NotImplementedError(f"{type(self).__name__} has no model_inference")

    # Steps ---------------------------------------------------------------------------------------------------

    def update_lr(self, names: str | Sequence[str] | None = None) -> None:
        """Moves schedules on by one epoch."""
        for name in self.get_model_names(names):
            if self._scheds[name] is not None:
                self._scheds[name].step()

    def detect_anomaly(self, loss: torch.Tensor) -> None:
        """Stops at a loss that is not finite.

        Raises:
            LossError: names epoch, batch and learning rate.
        """
        if not (math.isfinite(loss.item()) if loss.numel() == 1 else torch.isfinite(loss).all()):
            rates = {
                group["lr"] for optim in self._optims.values() if optim is not None for group in optim.param_groups
            }
            rate = ", ".join(f"{value:g}" for value in sorted(rates)) or "unknown"
            raise LossError(
                f"The loss is {loss.detach().float().mean().item()} in epoch {getattr(self, 'epoch', 0) + 1}, batch "
                f"{getattr(self, 'batch_idx', 0) + 1}, at learning rate {rate}; lower OPTIM.LR or look at that batch"
                " (the last good checkpoint is kept)"
            )

    def model_zero_grad(self, names: str | Sequence[str] | None = None) -> None:
        """Clears gradients."""
        for name in self.get_model_names(names):
            if self._optims[name] is not None:
                self._optims[name].zero_grad()

    def model_backward(self, loss: torch.Tensor) -> None:
        """Backpropagates after a check that the loss is finite."""
        self.detect_anomaly(loss)
        loss.backward()

    def model_update(self, names: str | Sequence[str] | None = None) -> None:
        """Optimiser steps."""
        for name in self.get_model_names(names):
            if self._optims[name] is not None:
                self._optims[name].step()

    def model_backward_and_update(self, loss: torch.Tensor, names: str | Sequence[str] | None = None) -> None:
        """Clears gradients, backpropagates, steps."""
        self.model_zero_grad(names)
        self.model_backward(loss)
        self.model_update(names)
