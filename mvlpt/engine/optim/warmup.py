"""Dassl's warm-up schedulers around another scheduler, for code that builds them itself."""

from __future__ import annotations

from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler


class _BaseWarmupScheduler(LRScheduler):
    """Warm-up epochs, then the successor's rates.

    Args:
        optimizer: whose rates are set; ``step()`` once after each epoch.
        successor: the scheduler that follows.
        warmup_epoch: epochs of warm-up.
        last_epoch: the epoch before the first.
        verbose: accepted, and not used.
    """

    def __init__(
        self, optimizer: Optimizer, successor: Any, warmup_epoch: int, last_epoch: int = -1, verbose: bool = False
    ) -> None:
        self.successor = successor
        self.warmup_epoch = warmup_epoch
        super().__init__(optimizer, last_epoch)

    def warmup_rates(self) -> list[float]:
        """The rates of the current epoch of the warm-up."""
        raise NotImplementedError

    def get_lr(self) -> list[float]:
        """The rate of each parameter group."""
        return self.successor.get_last_lr() if self.last_epoch >= self.warmup_epoch else self.warmup_rates()

    def step(self, epoch: int | None = None) -> None:
        """Moves on by one epoch."""
        if self.last_epoch >= self.warmup_epoch:
            self.successor.step()
            self._last_lr = self.successor.get_last_lr()
        else:
            super().step()

    def state_dict(self) -> dict[str, Any]:
        """Plain numbers, and the successor's state."""
        return {
            "last_epoch": self.last_epoch,
            "base_lrs": list(self.base_lrs),
            "rates": list(self._last_lr),
            "successor": self.successor.state_dict(),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on at the saved epoch."""
        self.last_epoch, self.base_lrs = state_dict["last_epoch"], list(state_dict["base_lrs"])
        self.successor.load_state_dict(state_dict["successor"])
        self._last_lr = list(state_dict["rates"])
        for group, rate in zip(self.optimizer.param_groups, self._last_lr, strict=True):
            group["lr"] = rate


class ConstantWarmupScheduler(_BaseWarmupScheduler):
    """Warm-up at one rate, ``cons_lr``."""

    def __init__(
        self,
        optimizer: Optimizer,
        successor: Any,
        warmup_epoch: int,
        cons_lr: float,
        last_epoch: int = -1,
        verbose: bool = False,
    ) -> None:
        self.cons_lr = cons_lr
        super().__init__(optimizer, successor, warmup_epoch, last_epoch, verbose)

    def warmup_rates(self) -> list[float]:
        """The same rate for every group."""
        return [self.cons_lr for _ in self.base_lrs]


class LinearWarmupScheduler(_BaseWarmupScheduler):
    """Warm-up from ``min_lr``, then in equal steps to each group's base rate."""

    def __init__(
        self,
        optimizer: Optimizer,
        successor: Any,
        warmup_epoch: int,
        min_lr: float,
        last_epoch: int = -1,
        verbose: bool = False,
    ) -> None:
        self.min_lr = min_lr
        super().__init__(optimizer, successor, warmup_epoch, last_epoch, verbose)

    def warmup_rates(self) -> list[float]:
        """``min_lr`` in the first epoch, then a share of the base rate."""
        if self.last_epoch == 0:
            return [self.min_lr for _ in self.base_lrs]
        return [rate * self.last_epoch / self.warmup_epoch for rate in self.base_lrs]
