"""The path on which affinities are measured: a few steps of training one prompt for all tasks.

Shapes: T tasks, P trained values of the prompt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mvlpt.errors import GraphError
from mvlpt.graph.affinity.prompt_gradients import TaskLosses, untouched

MakeOptimizer = Callable[[Sequence[nn.Parameter]], torch.optim.Optimizer]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Point:
    """Where joint training stands before a step.

    Attributes:
        losses: each task's loss, (T,), fp64.
        gradients: what ``view`` made of each task's gradient (P,), in the order of the tasks.
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
    """Trains the shared prompt on the mean of the tasks' losses; stops before each step to say where it is.

    Every task counts alike, whatever its number of images. The sum over tasks is taken in the order of their names, so
    that the path does not depend on the order in which tasks are given. The parameters are as they were once the
    iterator is used up or closed.

    Args:
        losses: the tasks.
        lr: learning rate of plain gradient descent.
        steps: how many points to give; the last step is not taken.
        optimizer: makes the optimiser in place of plain gradient descent.
        view: applied to each gradient (P,) before it is kept, for instance a projection.

    Raises:
        GraphError: no step, a learning rate that is not positive, or a loss that is not finite.
    """
    if steps < 1:
        raise GraphError(f"Affinities are measured at one point of joint training or more, not at {steps}")
    if not lr > 0:
        raise GraphError(f"Affinities need a learning rate above 0, not {lr}")
    order = sorted(range(len(losses.tasks)), key=lambda task: losses.tasks[task])
    with untouched(losses.parameters):
        chosen = optimizer(losses.parameters) if optimizer else torch.optim.SGD(losses.parameters, lr=lr)
        for step in range(steps):
            values = torch.zeros(len(order), dtype=torch.float64)
            kept: dict[int, Tensor] = {}
            total: Tensor | None = None
            for task in order:
                value, gradient = losses.gradient(task)
                if not torch.isfinite(gradient).all() or value != value:
                    raise GraphError(f"The loss of task '{losses.tasks[task]}' is not finite at step {step + 1}")
                values[task], kept[task] = value, view(gradient)
                total = gradient if total is None else total + gradient
            yield Point(values, [kept[task] for task in range(len(order))])
            if step + 1 < steps:
                _descend(chosen, losses.parameters, total / len(order))


def _descend(optimizer: torch.optim.Optimizer, parameters: Sequence[nn.Parameter], gradient: Tensor) -> None:
    """One step along a gradient (P,) that was computed already."""
    start = 0
    for parameter in parameters:
        part = gradient[start : start + parameter.numel()]
        parameter.grad = part.view_as(parameter).to(parameter.dtype).clone()
        start += parameter.numel()
    optimizer.step()
