"""Affinity from inner products of prompt gradients, optionally projected to fewer dimensions.

Shapes: T tasks, P trained values of the prompt, D dimensions of the projection.
"""

from __future__ import annotations

from contextlib import closing

import numpy as np
import torch
from torch import Tensor

from mvlpt.errors import GraphError
from mvlpt.graph.affinity.joint_training import MakeOptimizer, Progress, joint_training
from mvlpt.graph.affinity.lookahead import relative_gain
from mvlpt.graph.affinity.prompt_gradients import TaskLosses
from mvlpt.randomness import torch_stream

NONZEROS = 4  # in each row of the projection


class RandomProjection:
    """A sparse Johnson-Lindenstrauss projection, under which inner products are estimated without bias.

    The block construction of Kane and Nelson (Sparser Johnson-Lindenstrauss transforms, 2014): the D dimensions are
    split into a few blocks; in each block every value is added, with a random sign, to one random dimension. So the
    cost does not grow with D, and the error of an inner product of two unit vectors is about 1 / sqrt(D).

    Args:
        dimensions: D; ``None``, or at least as many as the vectors have, keeps the vectors unchanged.
        seed: of the random projection.

    Raises:
        GraphError: ``dimensions`` is below 1.
    """

    def __init__(self, dimensions: int | None, seed: int = 0) -> None:
        if dimensions is not None and dimensions < 1:
            raise GraphError(f"Gradients are projected to at least one dimension, not {dimensions}")
        self.dimensions = dimensions
        self.seed = seed
        self._drawn: list[tuple[Tensor, Tensor]] = []

    def __call__(self, vector: Tensor) -> Tensor:
        """(P,) to (D,), fp32, on the CPU."""
        vector = vector.detach().float().cpu()
        if self.dimensions is None or self.dimensions >= len(vector):
            return vector
        if not self._drawn or len(self._drawn[0][0]) != len(vector):
            self._drawn = self._draw(len(vector))
        result = torch.zeros(self.dimensions)
        for indices, signs in self._drawn:
            result.index_add_(0, indices, vector * signs)
        return result / len(self._drawn) ** 0.5

    def _draw(self, width: int) -> list[tuple[Tensor, Tensor]]:
        """For each block, the dimension and the sign of every value."""
        stream = torch_stream("gradient projection", width, self.dimensions, self.seed)
        blocks = np.array_split(np.arange(self.dimensions), min(NONZEROS, self.dimensions))
        return [
            (
                torch.randint(int(block[0]), int(block[-1]) + 1, (width,), generator=stream),
                torch.randint(0, 2, (width,), generator=stream).float() * 2 - 1,
            )
            for block in blocks
        ]


def gradient_affinity(
    losses: TaskLosses,
    *,
    lr: float,
    steps: int = 10,
    projection: int | None = 4096,
    seed: int = 0,
    optimizer: MakeOptimizer | None = None,
    progress: Progress | None = None,
) -> np.ndarray:
    """First-order estimate of :func:`mvlpt.graph.affinity.lookahead.lookahead_affinity`, without trying any step.

    By Taylor's theorem a step of length lr on task i changes the loss of j by -lr <g_i, g_j> + O(lr ** 2), so

        A[i, j] = mean over t of  lr * <g_i(theta_t), g_j(theta_t)> / L_j(theta_t)

    is the limit of the look-ahead as lr goes to 0. A point costs T gradients, which joint training needs anyway.

    As in Grad-TAG (Li et al., Scalable multitask learning using gradient-based estimation of task affinity, 2024), the
    gradients of all tasks come from one joint training run and are projected at random, and affinities are first-order
    terms. Unlike the paper, which fits logistic regressions on projected gradients of single images to estimate the
    result of fine-tuning on many subsets of tasks, only the first-order term of each pair is used, averaged along the
    path, on TAG's scale.

    Args:
        losses: the tasks and the prompt they share; the prompt is restored afterwards.
        lr: the step size; it scales the result, and is the learning rate of joint training without ``optimizer``.
        steps: points to average over.
        projection: dimensions that gradients are projected to; ``None``, or more than the prompt has values, keeps the
            gradients unchanged.
        seed: of the projection.
        optimizer: of joint training; by default plain gradient descent.
        progress: called with the points done and their number.

    Returns:
        (T, T) float64, row i: the effect of training on task i on each task. The inner products are symmetric; dividing
        by L_j gives the affinity its direction.

    Raises:
        GraphError: ``steps`` or ``projection`` is below 1, the learning rate is not positive, or a loss is not finite.
    """
    total = np.zeros((len(losses.tasks),) * 2)
    path = joint_training(losses, lr=lr, steps=steps, optimizer=optimizer, view=RandomProjection(projection, seed))
    with closing(path):
        for step, point in enumerate(path):
            rows = torch.stack(point.gradients).double().numpy()
            before = point.losses.numpy()
            total += relative_gain(lr * rows @ rows.T, np.broadcast_to(before, total.shape))
            if progress is not None:
                progress(step + 1, steps)
    return total / steps
