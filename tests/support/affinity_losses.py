"""Task losses whose affinities can be worked out by hand, and those of a tiny CLIP."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from mvlpt.graph.affinity.prompt_gradients import PromptLosses, TaskBatch
from mvlpt.models import build_prompted_clip
from support.tiny_clip import NAMES, RANGES, tiny_backbone

TASKS = ("animals", "machines", "plants")


class Bowls:
    """L_j(x) = |x - c_j| ** 2 / 2 + f_j, with gradient x - c_j; in double precision."""

    def __init__(self, tasks, centres, floors, start):
        self.tasks = tuple(tasks)
        self.centres = torch.as_tensor(centres, dtype=torch.float64)
        self.floors = list(floors)
        start = torch.as_tensor(start, dtype=torch.float64)
        half = len(start) // 2
        self.parameters = [nn.Parameter(start[:half].clone()), nn.Parameter(start[half:].clone())]

    @property
    def point(self):
        return torch.cat([p.detach() for p in self.parameters])

    def value(self, task):
        return float(((self.point - self.centres[task]) ** 2).sum() / 2) + self.floors[task]

    def gradient(self, task):
        return self.value(task), self.point - self.centres[task]


def bowls(count=4, width=6, seed=0):
    rng = np.random.default_rng(seed)
    names = [f"t{i}" for i in range(count)]
    return Bowls(names, rng.normal(size=(count, width)), rng.uniform(0.5, 2, count), rng.normal(size=width))


def clip_losses(method, *, micro_batch=64, order=(0, 1, 2)):
    """Three tasks of a tiny CLIP, each with six images; ``order`` permutes the tasks."""
    backbone = tiny_backbone()
    names = [name for i in order for name in NAMES[RANGES[i][0] : RANGES[i][1]]]
    sizes = [RANGES[i][1] - RANGES[i][0] for i in order]
    stops = np.cumsum(sizes).tolist()
    ranges = list(zip([0, *stops[:-1]], stops, strict=True))
    model = build_prompted_clip(
        backbone, names, method, n_ctx=2, task_ranges=ranges, label_space="per_task", seed=3
    ).train()
    batches = {}
    for (start, _), size, i in zip(ranges, sizes, order, strict=True):
        images = torch.randn(6, 3, 24, 24, generator=torch.Generator().manual_seed(i))
        batches[TASKS[i]] = TaskBatch(images, start + torch.arange(6) % size)
    return model, batches, PromptLosses(model, batches, cross_entropy, micro_batch=micro_batch)


def cross_entropy(logits, label):
    return F.cross_entropy(logits.float(), label, reduction="none")
