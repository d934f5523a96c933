"""Zero-shot text features: class names in hand-written templates, no training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from mvlpt.errors import PromptError
from mvlpt.models.backbone.backbone import Backbone
from mvlpt.models.optimisations import ComputeOptimisations, resolve_optimisations
from mvlpt.models.prompted_clip import unit
from mvlpt.models.towers.text import TextTower
from mvlpt.models.towers.text_layout import PLAIN_TEMPLATE, clean_class_names, plain_layout

CHUNK_TOKENS = 8192


@torch.no_grad()
def zero_shot_text_features(
    backbone: Backbone,
    class_names: Sequence[str],
    templates: Sequence[str] = (PLAIN_TEMPLATE,),
    *,
    optimisations: ComputeOptimisations | None = None,
    economy: ComputeOptimisations | None = None,
) -> Tensor:
    """One feature per class: each template's feature normalised, their mean normalised again.

    Args:
        backbone: the frozen model.
        class_names: the classes; ``_`` is read as a space, and a full stop at the end is kept.
        templates: sentences with ``{}`` where the name goes.
        optimisations: which to use, all by default.
        economy: former name of ``optimisations``.

    Returns:
        (K, embed_dim).

    Raises:
        PromptError: no class names, no templates, a template without ``{}``, a prompt that is too long; for a backbone
            that cannot carry text prompts, its tokenizer cuts what is too long.
    """
    templates = [templates] if isinstance(templates, str) else list(templates)
    total = 0
    for features in template_features(backbone, class_names, templates, resolve_optimisations(optimisations, economy)):
        total = total + unit(features)
    return unit(total / len(templates))


@torch.no_grad()
def template_features(
    backbone: Backbone,
    class_names: Sequence[str],
    templates: Sequence[str],
    optimisations: ComputeOptimisations | None = None,
) -> Iterator[Tensor]:
    """The features (K, E) of all classes in each template, as the text tower gives them, not normalised.

    Arguments and errors are those of :func:`zero_shot_text_features`.
    """
    if not templates:
        raise PromptError("Zero-shot classification needs at least one template such as 'a photo of a {}.'")
    names = clean_class_names(class_names, keep_full_stop=True)
    chosen = resolve_optimisations(optimisations, None)
    for template in templates:
        yield _encode(backbone, _fill(template, names), chosen)


def _fill(template: str, names: Sequence[str]) -> list[str]:
    if "{}" not in template:
        raise PromptError(f"The template '{template}' has no {{}} where the class name goes")
    return [template.replace("{}", name) for name in names]


def _encode(backbone: Backbone, prompts: list[str], optimisations: ComputeOptimisations) -> Tensor:
    if backbone.can_step_text:
        layout = plain_layout(backbone.tokenizer, prompts, backbone.context_length)
        return TextTower(backbone, optimisations, CHUNK_TOKENS).encode(layout, None)
    chunk = max(1, CHUNK_TOKENS // backbone.context_length)
    return torch.cat(
        [backbone.encode_text(backbone.tokenize(prompts[i : i + chunk])) for i in range(0, len(prompts), chunk)]
    )
