"""Batches of pretraining pairs.

Shapes: B batch, 48 x 48 pixels.
"""

from __future__ import annotations

import numpy as np
import torch

from embedded import augment, captions, corpus


class Pairs:
    """Training and held-out pairs, drawn by name so that no batch holds a name twice.

    Args:
        data: The cleaned corpus.
        held_out: Number of pairs kept for measuring, each of another name with four drawings or more.
        name_power: A name with n drawings is drawn with weight n to this power.
        seed: Decides which pairs are held out.
    """

    def __init__(self, data: corpus.Corpus, *, held_out: int, name_power: float, seed: int) -> None:
        self.data = data
        rng = np.random.default_rng(seed)
        times = np.bincount(data.label, minlength=len(data.names))
        order = rng.permutation(len(data))
        common = order[times[data.label[order]] >= 4]
        _, first = np.unique(data.label[common], return_index=True)
        self.held_out = rng.permutation(common[first])[:held_out]
        left = np.setdiff1d(np.arange(len(data)), self.held_out)
        left = left[np.argsort(data.label[left], kind="stable")]
        self.by_name = torch.from_numpy(left)
        counts = np.bincount(data.label[left], minlength=len(data.names))
        self.count = torch.from_numpy(counts)
        self.start = torch.from_numpy(np.concatenate([[0], np.cumsum(counts)[:-1]]))
        self.weight = self.count.double() ** name_power
        self.pixels = torch.from_numpy(data.pixels).permute(0, 3, 1, 2).contiguous()
        self.glyph = torch.from_numpy(data.glyph)

    def batch(self, size: int, generator: torch.Generator) -> tuple[torch.Tensor, list[str]]:
        """Augmented images (B, 3, 48, 48) in [0, 1] and B captions with B different names."""
        names = torch.multinomial(self.weight, size, generator=generator)
        pick = (torch.rand(size, generator=generator) * self.count[names]).long()
        rows = self.by_name[self.start[names] + pick]
        image = augment.augment(self.pixels[rows], self.glyph[rows], generator)
        chosen = names.tolist()
        text = captions.sentences(
            [self.data.names[i] for i in chosen], [self.data.other_names[i] for i in chosen], generator
        )
        return image, text
