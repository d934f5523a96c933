"""Linear heads: logits are features times class weights, and a step's gradient is written out.

For a row f with class probabilities p, class shares y (adding up to one, or to zero) and weight c in the loss, the
gradient of the class weights is the sum over rows of c (p |y| - y) f'. Autograd takes more passes for the same.

Shapes: those of :mod:`mvlpt.models.heads.base`, and R rows: images, and samples that a method adds to them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

from mvlpt.models.heads.base import FeatureHead

Stream = Callable[[], torch.Generator]
SMALLEST = 1e-12  # length that a vector is divided by at least, as in ``F.normalize``


class LinearHead(FeatureHead):
    """A subclass gives the class weights, and may write out what :meth:`set_gradients` computes by autograd."""

    def class_weights(self) -> Tensor:
        """(K, E) such that logits are ``features @ weights.T``."""
        raise NotImplementedError(f"{type(self).__name__} has no class weights")

    def forward(self, features: Tensor, task: Tensor | None = None) -> Tensor:
        """Logits (B, K) of image features (B, E) of length one, whatever their tasks."""
        return features @ self.class_weights().t()

    def rows(self, features: Tensor, targets: Tensor, stream: Stream) -> tuple[Tensor, Tensor, Tensor]:
        """The images of a step, (B, E) and targets as in :meth:`backward`, and what the method adds to them.

        Returns:
            Features (R, E), those of the images first; their targets; the weight (R,) of each in the loss.
        """
        return features, targets, row_weights(features.device, (len(features), 1.0))

    @torch.no_grad()
    def backward(
        self,
        features: Tensor,
        targets: Tensor,
        stream: Stream,
        restrict: Callable[[Tensor, Tensor], Tensor] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Sets the gradients of a step: of the weighted cross-entropy of its rows and of the penalty.

        Args:
            features: (B, E) of the images.
            targets: (B,) class ids, or (B, K) the share that each class has of an image.
            stream: makes the random stream of the step.
            restrict: sets logits (R, K) of classes that a row does not compete with to ``-inf``, given the class ids
                (R - B,) of the rows that the method adds.

        Returns:
            The cross-entropy, and the images' logits (B, K).
        """
        images = len(features)
        features, targets, weights = self.rows(features, targets, stream)
        logits = features @ self.class_weights().t()
        if restrict is not None:
            added = targets[images:]
            logits = restrict(logits, added if added.ndim == 1 else added.argmax(dim=1))
        losses, errors = cross_entropy(logits, targets)
        self.set_gradients(errors.mul_(weights[:, None]).t() @ features)
        return weights @ losses, logits[:images]

    def set_gradients(self, gradient: Tensor) -> None:
        """Sets the gradients of the parameters, with the penalty's, from that of the class weights (K, E)."""
        self.zero_grad()
        with torch.enable_grad():
            ((self.class_weights() * gradient).sum() + self.penalty()).backward()


def cross_entropy(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropies (R,), and the gradient (R, K) of each for its logits (R, K), which may be ``-inf``.

    Args:
        logits: (R, K).
        targets: (R,) class ids, or (R, K) shares of the classes.
    """
    logs = logits.log_softmax(dim=1)
    if targets.ndim == 1:
        index = targets[:, None]
        losses = -logs.gather(1, index)[:, 0]
        return losses, logs.exp_().scatter_(1, index, -1.0, reduce="add")
    losses = -(targets * logs.masked_fill(targets == 0, 0)).sum(dim=1)
    return losses, logs.exp_().mul_(targets.sum(dim=1, keepdim=True)).sub_(targets)


@lru_cache(maxsize=8)
def row_weights(device: torch.device, *parts: tuple[int, float]) -> Tensor:
    """Weights (R,) of rows in a loss: for each part, a number of rows and the weight of their mean."""
    return torch.cat([torch.full((rows,), weight / rows, device=device) for rows, weight in parts if rows])


def scaled(vectors: Tensor, length: Tensor) -> Tensor:
    """Vectors (K, E) of any length, brought to this one."""
    return vectors * (length / _lengths(vectors))


def gradient_of_scaled(vectors: Tensor, length: Tensor, gradient: Tensor) -> Tensor:
    """The gradient (K, E) for the vectors of :func:`scaled`, without the part along them.

    Args:
        vectors, length: those of :func:`scaled`.
        gradient: (K, E) for its result; overwritten.
    """
    norms = _lengths(vectors)
    along = torch.linalg.vecdot(vectors, gradient)[:, None] / norms.square()
    return gradient.addcmul_(vectors, along, value=-1).mul_(length / norms)


def _lengths(vectors: Tensor) -> Tensor:
    return torch.linalg.vector_norm(vectors, dim=-1, keepdim=True).clamp_min(SMALLEST)
