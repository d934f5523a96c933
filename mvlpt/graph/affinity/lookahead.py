"""Affinity by looking one step ahead: the effect of a step on one task on the losses of all others.

Shapes: T tasks.
"""

from __future__ import annotations

from contextlib import closing

import numpy as np

from mvlpt.errors import GraphError
from mvlpt.graph.affinity.joint_training import MakeOptimizer, Progress, joint_training
from mvlpt.graph.affinity.prompt_gradients import TaskLosses, flatten, restore_parameters, set_parameters


def lookahead_affinity(
    losses: TaskLosses,
    *,
    lr: float,
    steps: int = 3,
    optimizer: MakeOptimizer | None = None,
    progress: Progress | None = None,
) -> np.ndarray:
    """Inter-task affinity of Fifty et al. (TAG: Efficiently identifying task groupings for multi-task learning, 2021).

    At each step t of joint training of the prompt theta, a step on each task i alone is tried, and all losses are
    computed again (their equation 1):

        Z[i, j] = mean over t of  1 - L_j(theta_t - lr * grad L_i(theta_t)) / L_j(theta_t)

    A value above 0 means that a step on i lowers the loss of j. The tried step is plain gradient descent, as in the
    paper's equation, whatever the optimiser of joint training. A point costs T gradients and T * T losses. The column
    of a task whose loss is 0 is 0.

    Args:
        losses: the tasks and the prompt they share; the prompt is restored afterwards.
        lr: learning rate of the tried step, and of joint training without ``optimizer``.
        steps: points to average over.
        optimizer: of joint training; by default plain gradient descent.
        progress: called with the number of tried steps and their total.

    Returns:
        (T, T) float64, row i: the effect of training on task i on each task.

    Raises:
        GraphError: ``steps`` is below 1, the learning rate is not positive, or a loss is not finite.
    """
    count = len(losses.tasks)
    total = np.zeros((count, count))
    path = joint_training(losses, lr=lr, steps=steps, optimizer=optimizer)
    with closing(path):
        for step, point in enumerate(path):
            before = point.losses.numpy()
            here = flatten(losses.parameters)
            with restore_parameters(losses.parameters):
                for i, gradient in enumerate(point.gradients):
                    set_parameters(losses.parameters, here - lr * gradient)
                    after = np.array([losses.value(j) for j in range(count)])
                    if len(wrong := np.flatnonzero(~np.isfinite(after))):
                        raise GraphError(
                            f"The loss of task '{losses.tasks[wrong[0]]}' is not finite after a step on task "
                            f"'{losses.tasks[i]}'; lower the learning rate"
                        )
                    total[i] += relative_gain(before - after, before)
                    if progress is not None:
                        progress(step * count + i + 1, steps * count)
    return total / steps


def relative_gain(gain: np.ndarray, before: np.ndarray) -> np.ndarray:
    """``gain / before``, and 0 where ``before`` is 0."""
    return np.divide(gain, before, out=np.zeros_like(gain), where=before > 0)
