"""The optimisers of ``dassl.optim.radam``, for code that builds them itself; each decouples weight decay."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

TRACTABLE = 5.0  # averaged steps from which the variance of the adaptive rate is known well enough


class _Adaptive(Optimizer):
    """Keeps running means of the gradient and of its square; a subclass says how far a parameter moves."""

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step; returns what ``closure`` returns."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        with torch.no_grad():
            for group in self.param_groups:
                for parameter in group["params"]:
                    if parameter.grad is not None:
                        self._move(parameter, group)
        return loss

    def _move(self, parameter: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state.update(step=0, exp_avg=torch.zeros_like(parameter), exp_avg_sq=torch.zeros_like(parameter))
        state["step"] += 1
        beta1, beta2 = group["betas"]
        state["exp_avg"].lerp_(parameter.grad, 1 - beta1)
        state["exp_avg_sq"].mul_(beta2).addcmul_(parameter.grad, parameter.grad, value=1 - beta2)
        rate, factor, adaptive = self.rates(state["step"], group)
        if not factor:
            return
        parameter.mul_(1 - group["weight_decay"] * rate)
        if adaptive:
            parameter.addcdiv_(state["exp_avg"], state["exp_avg_sq"].sqrt().add_(group["eps"]), value=-rate * factor)
        else:
            parameter.add_(state["exp_avg"], alpha=-rate * factor)

    def rates(self, step: int, group: dict[str, Any]) -> tuple[float, float, bool]:
        """The learning rate of a step, a factor (0 for no step), and whether the second moment divides."""
        raise NotImplementedError


class PlainRAdam(_Adaptive):
    """Rectified Adam (Liu et al., 2020).

    Args:
        params: parameters or groups.
        lr, betas, eps, weight_decay: as in Adam.
        degenerated_to_sgd: move by the mean gradient while the rectification is not defined; otherwise wait.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        degenerated_to_sgd: bool = True,
    ) -> None:
        self.degenerated_to_sgd = degenerated_to_sgd
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    def rates(self, step: int, group: dict[str, Any]) -> tuple[float, float, bool]:
        """See the base class."""
        beta1, beta2 = group["betas"]
        longest = 2 / (1 - beta2) - 1
        length = longest - 2 * step * beta2**step / (1 - beta2**step)
        unbiased = 1 / (1 - beta1**step)
        if length < TRACTABLE:
            return group["lr"], unbiased if self.degenerated_to_sgd else 0.0, False
        rectified = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
        return group["lr"], unbiased * math.sqrt(rectified * (1 - beta2**step)), True


class RAdam(PlainRAdam):
    """:class:`PlainRAdam`; Dassl's two differ in speed only."""


class AdamW(_Adaptive):
    """Adam with decoupled weight decay, and a linear warm-up in steps.

    Args:
        params: parameters or groups.
        lr, betas, eps, weight_decay: as in Adam.
        warmup: steps until the full rate.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        warmup: int = 0,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "warmup": warmup}
        super().__init__(params, defaults)

    def rates(self, step: int, group: dict[str, Any]) -> tuple[float, float, bool]:
        """See the base class."""
        beta1, beta2 = group["betas"]
        rate = group["lr"] * min(1.0, step / group["warmup"]) if group["warmup"] > step else group["lr"]
        return rate, math.sqrt(1 - beta2**step) / (1 - beta1**step), True
