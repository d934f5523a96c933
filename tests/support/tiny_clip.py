"""Tiny random backbones, and the comparison with the reference that lives beside the benchmarks."""

from __future__ import annotations

import copy
import json

import open_clip
import torch
from open_clip.tokenizer import SimpleTokenizer
from open_clip.transformer import LayerScale

from benchmarks.reference import ReferenceCLIP
from mvlpt.models import Backbone, ComputeOptimisations, PromptedCLIP, build_prompted_clip

NAMES = ["cat", "annual_crop_land", "red sports car", "Boeing 737-800", "dog", "flower (red)", "st. bernard"]
RANGES = [(0, 3), (3, 5), (5, 7)]
VISION = {"layers": 3, "width": 64, "head_width": 16, "patch_size": 8, "image_size": 24}
TEXT = {"context_length": 77, "vocab_size": 49408, "width": 48, "heads": 4, "layers": 3}
TOKENIZER = SimpleTokenizer()
_BUILT: dict[str, open_clip.CLIP] = {}


def tiny_clip(*, quick_gelu: bool = True, vision: dict | None = None, text: dict | None = None, custom: bool = False):
    """An open_clip model with random weights large enough that classes and images differ; a new copy at every call."""
    key = json.dumps([quick_gelu, vision, text, custom])
    if key not in _BUILT:
        _BUILT[key] = _build(quick_gelu, vision, text, custom)
    return copy.deepcopy(_BUILT[key])


def _build(quick_gelu: bool, vision: dict | None, text: dict | None, custom: bool):
    kind = open_clip.CustomTextCLIP if custom else open_clip.CLIP
    clip = kind(32, {**VISION, **(vision or {})}, {**TEXT, **(text or {})}, quick_gelu=quick_gelu)
    noise = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, parameter in clip.named_parameters():
            spread = 0.5 if name.endswith("embedding.weight") else 0.15
            if parameter.dim() > 1 or "embedding" in name:
                parameter.copy_(torch.randn(parameter.shape, generator=noise) * spread)
            elif name.endswith("bias"):
                parameter.copy_(torch.randn(parameter.shape, generator=noise) * 0.05)
            elif name.endswith("weight"):
                parameter.copy_(1 + torch.randn(parameter.shape, generator=noise) * 0.1)
        for module in clip.modules():
            if isinstance(module, LayerScale):
                module.gamma.copy_(torch.rand(module.gamma.shape, generator=noise) + 0.5)
        clip.logit_scale.fill_(4.0)
    clip.visual.image_mean, clip.visual.image_std = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
    return clip


def tiny_backbone(**options) -> Backbone:
    """A backbone around ``tiny_clip``."""
    return Backbone(tiny_clip(**options), TOKENIZER, name="tiny")


def copy_of(model: PromptedCLIP) -> PromptedCLIP:
    """A copy with weights of its own. The tokenizer is shared: to copy its vocabulary takes most of a second."""
    tokenizer = model.backbone.tokenizer
    return copy.deepcopy(model, {id(tokenizer): tokenizer})


def tiny_images(backbone: Backbone, count: int = 4) -> torch.Tensor:
    """Random images of the backbone's size."""
    return torch.randn(count, 3, *backbone.image_size, generator=torch.Generator().manual_seed(5))


def outcome(forward, parameters: dict[str, torch.Tensor], *args) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Logits and the gradients of a loss that every finite logit takes part in."""
    for parameter in parameters.values():
        parameter.grad = None
    logits = forward(*args)
    weights = torch.randn(logits.shape, generator=torch.Generator().manual_seed(7))
    finite = torch.where(torch.isfinite(logits), logits, torch.zeros_like(logits))
    (finite.float().cpu() * weights).sum().backward()
    none = {name for name, parameter in parameters.items() if parameter.grad is None}
    return logits.detach(), {name: p.grad.clone() for name, p in parameters.items() if name not in none}


def reference_of(prompted, names=None, **options) -> ReferenceCLIP:
    """The reference on the same weights and the same prompt."""
    backbone = prompted.backbone
    parameters = dict(prompted.prompt_learner.named_parameters())
    names = list(prompted.class_names if names is None else names)
    return ReferenceCLIP(backbone.model, backbone.tokenizer, names, parameters, **options)


def assert_same(ours, theirs, *, logits: float = 1e-4, gradients: float = 1e-3) -> None:
    """Logits within an absolute, gradients within a relative tolerance."""
    assert torch.equal(torch.isfinite(ours[0]), torch.isfinite(theirs[0]))
    finite = torch.isfinite(ours[0])
    assert (ours[0] - theirs[0])[finite].abs().max() <= logits
    assert ours[0][finite].std() > 0.5, "the comparison says nothing if all logits are alike"
    assert set(ours[1]) == set(theirs[1])
    for name, gradient in theirs[1].items():
        size = gradient.norm()
        assert size > 0, name
        assert (ours[1][name] - gradient).norm() <= gradients * size, name


def compare(
    backbone: Backbone,
    method: str,
    optimisations: ComputeOptimisations | None = None,
    *,
    task=None,
    reference=None,
    **options,
):
    """Builds a prompted CLIP and asserts that it equals the reference in logits and gradients."""
    prompted = build_prompted_clip(backbone, NAMES, method, seed=0, optimisations=optimisations, **options).train()
    images = tiny_images(backbone)
    parameters = dict(prompted.prompt_learner.named_parameters())
    position = options.get("class_token_position", "end")
    other = reference_of(prompted, position=position, **(reference or {}))
    assert_same(outcome(prompted, parameters, images, task), outcome(other, parameters, images, task))
    return prompted
