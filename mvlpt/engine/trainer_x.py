"""The trainer that passes over labelled batches (Dassl's ``TrainerX``)."""

from __future__ import annotations

import datetime
import logging
import time
from collections.abc import Iterator
from typing import Any

import torch

from mvlpt.engine.meters import AverageMeter, MetricMeter
from mvlpt.engine.simple_trainer import SimpleTrainer

log = logging.getLogger(__name__)


class TrainerX(SimpleTrainer):
    """Runs an epoch over ``train_loader_x``; a subclass gives ``build_model`` and ``forward_backward``."""

    def run_epoch(self) -> None:
        """One pass over the labelled batches; after a resume, over those that are left."""
        self.set_model_mode("train")
        losses, batch_time, data_time = MetricMeter(), AverageMeter(), AverageMeter()
        start = self.begin_epoch()
        self.num_batches = self.count_batches()
        end = time.monotonic()
        for batch_idx, batches in enumerate(self.epoch_batches(start), start=start):
            self.batch_idx = batch_idx
            data_time.update(time.monotonic() - end)
            summary = self.forward_backward(*batches)
            batch_time.update(time.monotonic() - end)
            losses.update(summary)
            self.epoch_log.add(losses, batches)
            self._report(losses, batch_time, data_time)
            self.after_step(self.batch_idx + 1)
            end = time.monotonic()

    run_epoch.resumes_inside = True  # :meth:`SimpleTrainer.begin_epoch` says where to go on

    def epoch_batches(self, start: int) -> Iterator[tuple[Any, ...]]:
        """What :meth:`forward_backward` gets in each step, from step ``start`` on."""
        return ((batch,) for batch in self.train_loader_x)

    def parse_batch_train(self, batch: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Images (B, 3, H, W), labels (B,) and domains (B,), on the device."""
        return tuple(batch[key].to(self.device) for key in ("img", "label", "domain"))

    def _report(self, losses: MetricMeter, batch_time: AverageMeter, data_time: AverageMeter) -> None:
        """Moves the bar on, writes the log and TensorBoard."""
        step = self.epoch * self.num_batches + self.batch_idx
        if self._progress is not None:
            label = f"epoch {self.epoch + 1}/{self.max_epoch}"
            self._progress.step(label, losses)
        if self._writer is not None:
            for name, meter in losses.meters.items():
                self.write_scalar(f"train/{name}", meter.avg, step)
            self.write_scalar("train/lr", self.get_current_lr(), step)
        last = self.batch_idx + 1 == self.num_batches
        due = (self.batch_idx + 1) % max(1, self.cfg.TRAIN.PRINT_FREQ) == 0
        if not (last or due):
            return
        seconds = self._progress.remaining() if self._progress is not None else float("nan")
        left = datetime.timedelta(seconds=round(seconds)) if seconds == seconds else "?"
        log.debug(
            "epoch [%d/%d] batch [%d/%d] time %.3f data %.3f %s lr %.4e left %s",
            self.epoch + 1,
            self.max_epoch,
            self.batch_idx + 1,
            self.num_batches,
            batch_time.avg,
            data_time.avg,
            losses,
            self.get_current_lr(),
            left,
        )
