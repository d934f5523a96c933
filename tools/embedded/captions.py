"""Sentences around a name. The words before a name also give later text positions their training."""

from __future__ import annotations

import torch

SHORT_TEMPLATES = (
    "{}",
    "a {}.",
    "a photo of a {}.",
    "an icon of a {}.",
    "a drawing of a {}.",
    "a picture of a {}.",
    "{} icon",
    "the {} symbol.",
)
LONG_TEMPLATES = (
    "this is a small picture of a {}.",
    "a clean and simple icon of the thing called {}.",
    "here is a drawing that shows to everyone a {}.",
    "a small sign on the screen of a phone with a {}.",
    "one of many simple black and white drawings of some kind of {}.",
)
P_LONG_BATCH = 0.15
P_OTHER_NAME = 0.25


def sentences(names: list[str], other_names: list[list[str]], generator: torch.Generator) -> list[str]:
    """One caption a name; long templates come in batches of their own so that other batches stay short.

    Args:
        names: Main names.
        other_names: Further names of each.
        generator: Source of all randomness.

    Returns:
        Captions in the same order.
    """
    long_batch = bool(torch.rand((), generator=generator) < P_LONG_BATCH)
    templates = SHORT_TEMPLATES + LONG_TEMPLATES if long_batch else SHORT_TEMPLATES
    which = torch.randint(len(templates), (len(names),), generator=generator).tolist()
    draw = torch.rand(len(names), 2, generator=generator).tolist()
    captions = []
    for name, others, template, (take_other, position) in zip(names, other_names, which, draw, strict=True):
        if others and take_other < P_OTHER_NAME:
            name = others[int(position * len(others))]
        captions.append(templates[template].format(name))
    return captions
