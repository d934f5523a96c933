"""Affinity by looking one step ahead: what a step on one task does to the losses of all others.

Shapes: T tasks.
"""

from __future__ import annotations

from contextlib import closing

import numpy as np

from mvlpt.graph.affinity.joint_training import MakeOptimizer, Progress, joint_training
from mvlpt.graph.affinity.prompt_gradients import TaskLosses, assign, flatten, untouched


def lookahead_affinity(
    losses: TaskLosses,
    *,
    lr: float,
    steps: int = 3,
    optimizer: MakeOptimizer | None = None,
    progress: Progress | None = None,
) -> np.ndarray:
    """Inter-task affinity of Fifty et al. (TAG: Efficiently identifying task groupings for multi-task learning, 2021).

    At each step t of training the prompt theta jointly, for every task i a step on i alone is tried, and all losses are
    taken again (their equation 1):

        Z[i, j] = mean over t of  1 - L_j(theta_t - lr * grad L_i(theta_t)) / L_j(theta_t)

    Above 0: a step on i lowers the loss of j. The tried step is plain gradient descent, as in the paper's equation,
    whatever optimiser trains jointly. A point costs T gradients and T * T losses. A loss of 0 cannot fall; its column
    is 0.

    Args:
        losses: the tasks and the prompt they share; the prompt is left as it was.
        lr: of the tried step, and of joint training unless ``optimizer`` says otherwise.
        steps: points to average over.
        optimizer: of joint training; by default plain gradient descent.
        progress: called with the tried steps done and their number.

    Returns:
        (T, T) float64, row i: what training on task i does to each task.

    Raises:
        GraphError: no step, a learning rate that is not positive, or a loss that is not finite.
    """
    count = len(losses.tasks)
    total = np.zeros((count, count))
    path = joint_training(losses, lr=lr, steps=steps, optimizer=optimizer)
    with closing(path):
        for step, point in enumerate(path):
            before = point.losses.numpy()
            here = flatten(losses.parameters)
            with untouched(losses.parameters):
                for i, gradient in enumerate(point.gradients):
                    assign(losses.parameters, here - lr * gradient)
                    after = np.array([losses.value(j) for j in range(count)])
                    total[i] += relative_gain(before - after, before)
                    if progress is not None:
                        progress(step * count + i + 1, steps * count)
    return total / steps


def relative_gain(gain: np.ndarray, before: np.ndarray) -> np.ndarray:
    """``gain / before``, 0 where a loss was 0 before."""
    return np.divide(gain, before, out=np.zeros_like(gain), where=before > 0)
