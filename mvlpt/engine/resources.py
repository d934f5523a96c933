"""What several runs in one process can share: frozen backbones and image features.

A trainer takes them from :func:`current_resources`. By default every trainer has its own; inside
``with shared_resources():`` all trainers built there use the same, so that a backbone is loaded once and an image
encoded once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

import torch

from mvlpt.data.features import FeatureCache
from mvlpt.models import Backbone, load_backbone

FEATURE_MB = 2048


@dataclass
class Resources:
    """Loaded backbones and encoded features.

    Attributes:
        features: the feature cache, bounded in memory.
        backbones: by name, weights, device and precision.
    """

    features: FeatureCache = field(default_factory=lambda: FeatureCache(FEATURE_MB))
    backbones: dict[tuple[str, str, str, str], Backbone] = field(default_factory=dict)

    def backbone(self, name: str, pretrained: str | bool, device: torch.device, precision: str) -> Backbone:
        """The frozen backbone, loaded at the first call; arguments as :func:`mvlpt.models.load_backbone`'s.

        Loading leaves torch's global generator as it was: a run draws the same numbers whether it loads or shares it.
        """
        key = (name, str(pretrained), str(device), precision)
        if key not in self.backbones:
            with torch.random.fork_rng(devices=[]):
                self.backbones[key] = load_backbone(name, pretrained, precision=precision, device=device)
        return self.backbones[key]


_shared: ContextVar[Resources | None] = ContextVar("mvlpt_shared_resources", default=None)


def current_resources() -> Resources:
    """The resources shared in this context, or fresh ones."""
    return _shared.get() or Resources()


@contextmanager
def shared_resources(resources: Resources | None = None) -> Iterator[Resources]:
    """Lets the trainers built inside the block share backbones and features."""
    chosen = resources or Resources()
    token = _shared.set(chosen)
    try:
        yield chosen
    finally:
        _shared.reset(token)
