"""What heads need of the class prompts: zero-shot weights, and every prompt's own feature."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from mvlpt.models.backbone.backbone import Backbone
from mvlpt.models.heads.base import ClassTexts
from mvlpt.models.prompted_clip import unit
from mvlpt.models.zero_shot import template_features


def class_texts(backbone: Backbone, tasks: Sequence[tuple[Sequence[str], Sequence[str]]]) -> ClassTexts:
    """Text features of the classes of all tasks, each in its own task's templates.

    Args:
        backbone: the frozen model.
        tasks: class names and templates of each task, in the order of the classes.

    Raises:
        PromptError: a template without ``{}``, no templates, or a prompt that is too long.
    """
    weights, raw, samples, labels, first = [], [], [], [], 0
    for names, templates in tasks:
        features = torch.stack([part.float() for part in template_features(backbone, names, list(templates))])
        normal = unit(features)
        weights.append(unit(normal.mean(dim=0)))
        raw.append(features.mean(dim=0))
        samples.append(normal.flatten(0, 1))
        labels.append(torch.arange(first, first + len(names)).repeat(len(templates)))
        first += len(names)
    device = weights[0].device
    owner = torch.arange(len(tasks)).repeat_interleave(torch.tensor([len(names) for names, _ in tasks]))
    return ClassTexts(
        torch.cat(weights), torch.cat(raw), torch.cat(samples), torch.cat(labels).to(device), owner.to(device)
    )
