"""Affinity of tasks by what their own prompts make of their data: the prompt transferability of PANDA.

Shapes: T tasks, D width of a task's embedding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from mvlpt.errors import GraphError
from mvlpt.graph.affinity.joint_training import MakeOptimizer, Progress, descend, finite_gradient
from mvlpt.graph.affinity.prompt_gradients import TaskLosses, restore_parameters


class TaskFeatures(TaskLosses, Protocol):
    """Task losses that also give what the prompted model makes of a task."""

    def features(self, task: int) -> Tensor:
        """The mean feature (D,) of the task's data at the current parameters."""


def transferability_affinity(
    losses: TaskFeatures,
    *,
    lr: float,
    steps: int = 30,
    optimizer: MakeOptimizer | None = None,
    progress: Progress | None = None,
) -> np.ndarray:
    """How well prompts can be expected to transfer, after PANDA (Zhong et al., arXiv 2208.10160, TKDE 2024).

    PANDA places source and target task in one space by means of their own soft prompts, and takes the cosine of the two
    task embeddings for the transferability. Here the embedding of task i is the mean of what the model gives for its
    few-shot data under a prompt that was tuned for it alone, from the same start for all:

        A[i, j] = cos(e_i, e_j),   e_i = mean over the data of i of  f(x; theta_i)

    f are the features of those towers that the prompt changes, of images, of class names, or of both, one after the
    other (the paper: the last hidden state of a language model). A pair's value does not depend on the other tasks, and
    is the same in both directions.

    Args:
        losses: the tasks and the prompt; the prompt is restored afterwards.
        lr: learning rate without ``optimizer``.
        steps: of tuning each prompt, on all images of its task.
        optimizer: makes the optimiser; plain gradient descent by default.
        progress: called with the steps done and their number.

    Returns:
        (T, T) float64, symmetric, in [-1, 1].

    Raises:
        GraphError: ``steps`` is below 1, the learning rate is not positive, or a loss or feature is
            not finite.
    """
    if steps < 1:
        raise GraphError(f"Transferability needs prompts that were tuned for at least one step, not {steps}")
    if not lr > 0:
        raise GraphError(f"Affinities need a learning rate above 0, not {lr}")
    embeddings = []
    for task in range(len(losses.tasks)):
        with restore_parameters(losses.parameters):
            chosen = optimizer(losses.parameters) if optimizer else torch.optim.SGD(losses.parameters, lr=lr)
            for step in range(steps):
                _, gradient = finite_gradient(losses, task, step)
                descend(chosen, losses.parameters, gradient)
                if progress is not None:
                    progress(task * steps + step + 1, len(losses.tasks) * steps)
            embeddings.append(losses.features(task).double().cpu().numpy())
        if not np.isfinite(embeddings[-1]).all():
            raise GraphError(
                f"The features of task '{losses.tasks[task]}' are not finite under its own prompt; lower the learning "
                "rate"
            )
    return cosines(embeddings)


def cosines(embeddings: Sequence[np.ndarray]) -> np.ndarray:
    """The cosine of every pair of embeddings, T of (D,) to (T, T) float64; 0 with an embedding of zeros."""
    rows = np.asarray(embeddings, dtype=np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
    return np.clip(unit @ unit.T, -1.0, 1.0)
