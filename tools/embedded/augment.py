"""Mild augmentation of pretraining drawings, vectorised over the batch.

Shapes: B batch, 48 x 48 pixels. Values in [0, 1] until the normalisation, which is the caller's.
"""

from __future__ import annotations

import math

import torch
from torch.nn import functional as F

P_WILD_COLOURS = 0.15
P_THICKER, P_THINNER = 0.15, 0.10
P_NOISE = 0.15


def _uniform(n: int, low: float, high: float, generator: torch.Generator) -> torch.Tensor:
    return torch.rand(n, generator=generator) * (high - low) + low


def _maybe(n: int, probability: float, generator: torch.Generator) -> torch.Tensor:
    return torch.rand(n, generator=generator) < probability


def warp(layers: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Random scale, aspect, small turn and shift: (B, C, 48, 48) -> same. Never flips: arrows have a direction."""
    n = len(layers)
    angle = _uniform(n, -10, 10, generator) * math.pi / 180
    scale = torch.exp(_uniform(n, math.log(0.85), math.log(1.35), generator))  # above 1: the drawing gets smaller
    aspect = torch.exp(_uniform(n, -0.08, 0.08, generator))
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    matrix = torch.stack(
        [
            torch.stack([cos * aspect, -sin, _uniform(n, -0.12, 0.12, generator)], 1),
            torch.stack([sin, cos / aspect, _uniform(n, -0.12, 0.12, generator)], 1),
        ],
        1,
    )
    grid = F.affine_grid(matrix, list(layers.shape), align_corners=False)
    return F.grid_sample(layers, grid, padding_mode="zeros", align_corners=False)


def vary_stroke(alpha: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Thickens or thins the strokes of some glyphs: (B, 1, 48, 48) -> same."""
    n = len(alpha)
    draw = torch.rand(n, generator=generator)
    amount = _uniform(n, 0.3, 1.0, generator)
    for chosen, sign in ((draw < P_THICKER, 1.0), (draw > 1 - P_THINNER, -1.0)):
        if chosen.any():
            part = alpha[chosen]
            moved = sign * F.max_pool2d(sign * part, 3, stride=1, padding=1)
            strength = amount[chosen].view(-1, 1, 1, 1) * (1.0 if sign > 0 else 0.5)
            alpha = alpha.masked_scatter(chosen.view(-1, 1, 1, 1), torch.lerp(part, moved, strength))
    return alpha


def colours(n: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Ink and paper: mostly dark on white, sometimes any two colours with enough contrast.

    Returns:
        ink (n, 3) and paper (n, 3) in [0, 1].
    """
    black, white = _maybe(n, 0.5, generator), _maybe(n, 0.7, generator)
    ink = torch.where(black[:, None], torch.zeros(n, 3), torch.rand(n, 3, generator=generator) * 0.5)
    paper = torch.where(white[:, None], torch.ones(n, 3), 1 - torch.rand(n, 3, generator=generator) * 0.2)
    wild = _maybe(n, P_WILD_COLOURS, generator)
    wild_ink, wild_paper = torch.rand(n, 3, generator=generator), torch.rand(n, 3, generator=generator)
    apart = (wild_ink.mean(1) - wild_paper.mean(1)).abs() > 0.25
    wild = (wild & apart)[:, None]
    return torch.where(wild, wild_ink, ink), torch.where(wild, wild_paper, paper)


def augment(pixels: torch.Tensor, glyph: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Training view of a batch.

    Args:
        pixels: (B, 4, 48, 48) uint8 RGBA.
        glyph: (B,) bool; glyphs are recoloured, emoji keep their colours.
        generator: Source of all randomness.

    Returns:
        (B, 3, 48, 48) float32 in [0, 1].
    """
    n = len(pixels)
    layers = pixels.float() / 255.0
    layers = torch.cat([layers[:, :3] * layers[:, 3:], layers[:, 3:]], 1)
    layers = warp(layers, generator)
    alpha = torch.where(glyph.view(-1, 1, 1, 1), vary_stroke(layers[:, 3:], generator), layers[:, 3:])
    ink, paper = colours(n, generator)
    drawing = torch.where(glyph.view(-1, 1, 1, 1), alpha * ink[:, :, None, None], layers[:, :3])
    image = drawing + (1 - alpha) * paper[:, :, None, None]
    noisy = _maybe(n, P_NOISE, generator).float() * _uniform(n, 0.0, 0.10, generator)
    image = image + torch.randn(image.shape, generator=generator) * noisy.view(-1, 1, 1, 1)
    return image.clamp(0, 1)


def plain_view(pixels: torch.Tensor) -> torch.Tensor:
    """The drawing as it is, on white: (B, 4, 48, 48) uint8 -> (B, 3, 48, 48) float32 in [0, 1]."""
    layers = pixels.float() / 255.0
    return layers[:, :3] * layers[:, 3:] + (1 - layers[:, 3:])
