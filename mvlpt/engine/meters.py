"""Running averages for the training log, by Dassl's names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import torch


class AverageMeter:
    """The latest value, the sum and the mean of a number.

    Args:
        ema: keep an exponential moving average (factor 0.9) instead of the mean.
    """

    def __init__(self, ema: bool = False) -> None:
        self.ema = ema
        self.reset()

    def reset(self) -> None:
        """Starts from nothing."""
        self.val = self.avg = self.sum = 0.0
        self.count = 0

    def update(self, val: float | torch.Tensor, n: int = 1) -> None:
        """Adds ``val``, seen ``n`` times."""
        self.val = val.item() if isinstance(val, torch.Tensor) else float(val)
        self.sum += self.val * n
        self.count += n
        self.avg = self.avg * 0.9 + self.val * 0.1 if self.ema and self.count > n else self.sum / self.count


class MetricMeter:
    """One :class:`AverageMeter` per name.

    Args:
        delimiter: between the metrics when printed.
    """

    def __init__(self, delimiter: str = " ") -> None:
        self.meters: dict[str, AverageMeter] = defaultdict(AverageMeter)
        self.delimiter = delimiter

    def update(self, input_dict: Mapping[str, float | torch.Tensor] | None) -> None:
        """Adds one value per metric; ``None`` adds nothing.

        Raises:
            TypeError: it is no dictionary.
        """
        if input_dict is not None and not isinstance(input_dict, Mapping):
            raise TypeError(f"A meter is updated with a dictionary of numbers, not with {type(input_dict).__name__}")
        for name, value in (input_dict or {}).items():
            self.meters[name].update(value)

    def __str__(self) -> str:
        return self.delimiter.join(f"{name} {m.val:.4f} ({m.avg:.4f})" for name, m in self.meters.items())
