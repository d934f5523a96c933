"""Joint training: the few steps of training one prompt for all tasks along which affinities are measured.

Shapes: T tasks, P trained values of the prompt.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mvlpt.errors import GraphError
from mvlpt.graph.affinity.prompt_gradients import TaskLosses, restore_parameters

MakeOptimizer = Callable[[Sequence[nn.Parameter]], torch.optim.Optimizer]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Point:
    """Losses and gradients before a step of joint training.

    Attributes:
        losses: each task's loss, (T,), fp64.
        gradients: each task's gradient (P,), transformed by ``view``, in the order of the tasks.
    """

    losses: Tensor
    gradients: list[Tensor]


def joint_training(
    losses: TaskLosses,
    *,
    lr: float,
    steps: int,
    optimizer: MakeOptimizer | None = None,
    view: Callable[[Tensor], Tensor] = lambda gradient: gradient,
) -> Iterator[Point]:
    """Trains the shared prompt on the mean of the tasks' losses, and yields losses and gradients before each step.

    Every task has the same weight, whatever its number of images. The sum over tasks runs in the order of their names,
    so the path does not depend on the order of the tasks. The parameters are restored when the iterator is exhausted
    or closed.

    Args:
        losses: the tasks.
        lr: learning rate of plain gradient descent.
        steps: the number of points; no step is taken after the last one.
        optimizer: makes the optimiser; plain gradient descent by default.
        view: applied to each gradient (P,), for instance a projection.

    Raises:
        GraphError: no step, a learning rate that is not positive, or a loss that is not finite.
    """
    if steps < 1:
        raise GraphError(f"Affinities need at least one point of joint training, not {steps}")
    if not lr > 0:
        raise GraphError(f"Affinities need a learning rate above 0, not {lr}")
    order = sorted(range(len(losses.tasks)), key=lambda task: losses.tasks[task])
    with restore_parameters(losses.parameters):
        chosen = optimizer(losses.parameters) if optimizer else torch.optim.SGD(losses.parameters, lr=lr)
        for step in range(steps):
            values = torch.zeros(len(order), dtype=torch.float64)
            viewed: dict[int, Tensor] = {}
            total: Tensor | None = None
            for task in order:
                value, gradient = finite_gradient(losses, task, step)
                values[task], viewed[task] = value, view(gradient)
                total = gradient if total is None else total + gradient
            yield Point(values, [viewed[task] for task in range(len(order))])
            if step + 1 < steps:
                descend(chosen, losses.parameters, total / len(order))


def finite_gradient(losses: TaskLosses, task: int, step: int) -> tuple[float, Tensor]:
    """A task's loss and gradient (P,) before a step, counted from 0.

    Raises:
        GraphError: one is not finite.
    """
    value, gradient = losses.gradient(task)
    if not (math.isfinite(value) and torch.isfinite(gradient).all()):
        raise GraphError(
            f"The loss of task '{losses.tasks[task]}' or its gradient is not finite at step {step + 1}; lower the "
            "learning rate"
        )
    return value, gradient


def descend(optimizer: torch.optim.Optimizer, parameters: Sequence[nn.Parameter], gradient: Tensor) -> None:
    """One step of an optimiser with a given gradient (P,)."""
    start = 0
    for parameter in parameters:
        part = gradient[start : start + parameter.numel()]
        parameter.grad = part.view_as(parameter).to(parameter.dtype).clone()
        start += parameter.numel()
    optimizer.step()
