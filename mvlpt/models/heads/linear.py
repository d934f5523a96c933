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
Pullback = Callable[[Tensor], None]
SMALLEST = 1e-12  # length that a vector is divided by at least, as in ``F.normalize``


class LinearHead(FeatureHead):
    """A subclass gives the class weights, and may write out what :meth:`linearise` leaves to autograd."""

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
        class_weights, set_gradients = self.linearise()
        logits = features @ class_weights.t()
        if restrict is not None:
            added = targets[images:]
            logits = restrict(logits, added if added.ndim == 1 else added.argmax(dim=1))
        losses, errors = cross_entropy(logits, targets)
        set_gradients(errors.mul_(weights[:, None]).t() @ features)
        return weights @ losses, logits[:images]

    def linearise(self) -> tuple[Tensor, Pullback]:
        """The class weights, and what sets the parameters' gradients, with the penalty's, from that of the weights.

        The latter is called once, before the parameters change, and may overwrite the gradient (K, E) that it is given.
        """

        def set_gradients(gradient: Tensor) -> None:
            self.zero_grad()
            with torch.enable_grad():
                ((self.class_weights() * gradient).sum() + self.penalty()).backward()

        return self.class_weights(), set_gradients


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


def scaled(vectors: Tensor, length: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """Vectors (K, E) of any length, brought to this one; and the map from a gradient for these to one for those.

    The map takes away the part along the vectors, and overwrites the gradient (K, E).
    """
    rates = length / torch.linalg.vector_norm(vectors, dim=-1, keepdim=True).clamp_min(SMALLEST)
    results = vectors * rates

    def pull_back(gradient: Tensor) -> Tensor:
        along = torch.linalg.vecdot(results, gradient)[:, None] / length.square()
        return gradient.addcmul_(results, along, value=-1).mul_(rates)

    return results, pull_back
