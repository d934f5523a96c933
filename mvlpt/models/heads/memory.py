"""What heads share that remember training images: room for their features, as many as a checkpoint has.

Shapes: N images in memory, E features' width.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from mvlpt.models.heads.base import ClassTexts, FeatureHead


class MemoryHead(FeatureHead):
    """A head with the features of images, ``keys`` (N, E): trained, or kept as they are.

    A subclass extends :meth:`make_room` by what else it remembers of an image.

    Args:
        texts, scale, images, options: as for every head; ``images`` is N.
    """

    fits_anew = True

    def __init__(self, texts: ClassTexts, scale: Tensor, images: int, options: Any) -> None:
        super().__init__(texts, scale, images, options)
        self.make_room(images)

    def make_room(self, images: int) -> None:
        """Room for N images, which begin as zeros."""
        keys = self.text_weights.new_zeros(images, self.text_weights.shape[1])
        if not self.trains:
            self.register_buffer("keys", keys)
        elif hasattr(self, "keys"):
            self.keys.data = keys  # an optimiser may hold the parameter
        else:
            self.keys = nn.Parameter(keys)

    def expect(self, state: dict[str, Tensor]) -> None:
        """As many images as the checkpoint has."""
        keys = state.get("keys")
        if keys is not None and keys.ndim == 2 and len(keys) != len(self.keys):
            self.make_room(len(keys))


class VotingHead(MemoryHead):
    """A memory whose images vote for their classes: ``values`` (N, K), each label's share of an image."""

    def make_room(self, images: int) -> None:
        """Also for the images' labels."""
        super().make_room(images)
        self.register_buffer("values", self.text_weights.new_zeros(images, len(self.text_weights)))
