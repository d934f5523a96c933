"""The trainer that takes a labelled and an unlabelled batch in each step (Dassl's ``TrainerXU``)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import torch

from mvlpt.engine.trainer_x import TrainerX
from mvlpt.errors import DataError

log = logging.getLogger(__name__)


class TrainerXU(TrainerX):
    """Runs an epoch over ``train_loader_x`` and ``train_loader_u``; the shorter one begins again when it is spent.

    ``TRAIN.COUNT_ITER`` says how many steps an epoch has: ``train_x``, ``train_u`` or ``smaller_one``. A subclass
    gives ``build_model`` and ``forward_backward(batch_x, batch_u)``.
    """

    def count_batches(self) -> int:
        """Steps in an epoch.

        Raises:
            DataError: there are no unlabelled images.
        """
        if self.train_loader_u is None:
            raise DataError(
                f"{type(self).__name__} needs unlabelled training images, and the data set has none; it must pass "
                "train_u to its base class"
            )
        labelled, unlabelled = len(self.train_loader_x), len(self.train_loader_u)
        return {"train_x": labelled, "train_u": unlabelled}.get(self.cfg.TRAIN.COUNT_ITER, min(labelled, unlabelled))

    def epoch_batches(self, start: int) -> Iterator[tuple[Any, ...]]:
        """Pairs of batches, from step ``start`` on."""
        steps = self.count_batches()
        pairs = zip(
            _passes(self.train_loader_x, self.epoch, start, steps),
            _passes(self.train_loader_u, self.epoch, start, steps),
            strict=True,
        )
        return iter(pairs)

    def parse_batch_train(
        self, batch_x: dict[str, Any], batch_u: dict[str, Any]
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Labelled images (B, 3, H, W), their labels (B,) and unlabelled images, on the device."""
        return tuple(
            batch[key].to(self.device) for batch, key in ((batch_x, "img"), (batch_x, "label"), (batch_u, "img"))
        )


def _passes(loader: Any, epoch: int, start: int, steps: int) -> Iterator[Any]:
    """The batches of steps ``start`` to ``steps``: pass after pass over the loader, in an order of its own each."""
    length = len(loader)
    rounds, step = -(-steps // length), start
    while step < steps:
        if hasattr(loader, "set_epoch"):
            loader.set_epoch(epoch * rounds + step // length, step % length)
        for batch in loader:
            yield batch
            step += 1
            if step == steps:
                return
