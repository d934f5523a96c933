"""The methods that change the towers' weights, written as in :mod:`benchmarks.plain_methods`.

Shape legend: B images, K classes, L tokens, R rank, D width of the tower, E width of features.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.plain_methods import Parameters, Plain, unit


class LowRankAttention(nn.Module):
    """Self-attention whose projections of queries, keys and values each add two thin matrices."""

    def __init__(self, attention: nn.MultiheadAttention, down: Tensor, up: Tensor, scale: float, dropout: float):
        super().__init__()
        self.frozen, self.down, self.up = attention, nn.Parameter(down.clone()), nn.Parameter(up.clone())
        self.scale, self.dropout = scale, dropout

    def forward(self, x: Tensor, *_: Tensor, attn_mask: Tensor | None = None, **__: object) -> tuple[Tensor, None]:
        """Tokens (N, L, D) to (N, L, D)."""
        frozen, projected = self.frozen, []
        weights, biases = frozen.in_proj_weight.chunk(3), frozen.in_proj_bias.chunk(3)
        for number, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
            added = F.linear(F.linear(F.dropout(x, self.dropout), self.down[number]), self.up[number])
            projected.append(F.linear(x, weight, bias) + self.scale * added)
        q, k, v = (part.unflatten(-1, (frozen.num_heads, -1)).transpose(1, 2) for part in projected)
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=attn_mask)
        return frozen.out_proj(attended.transpose(1, 2).flatten(2)), None


class Changed(Plain):
    """A copy of the model some of whose own modules are trained; text and images through open_clip's functions."""

    def __init__(self, clip: nn.Module, ids: Tensor, start: Parameters, untuned: Tensor, rate: float) -> None:
        super().__init__(self.changed(copy.deepcopy(clip), start), ids, start, untuned, rate)

    def changed(self, clip: nn.Module, start: Parameters) -> nn.Module:
        """The model with its trained modules."""
        raise NotImplementedError

    def trained(self) -> Iterable[Tensor]:
        return [parameter for parameter in self.clip.parameters() if parameter.requires_grad]

    def features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return unit(self.clip.encode_image(images)), unit(self.clip.encode_text(self.ids))


class CLIPLoRA(Changed):
    """Rank 2 in queries, keys and values of all blocks, dropout 0.25."""

    def changed(self, clip: nn.Module, start: Parameters) -> nn.Module:
        for tower, name in ((clip.transformer, "text"), (clip.visual.transformer, "image")):
            matrices = zip(start[f"{name}_down"].detach(), start[f"{name}_up"].detach(), strict=True)
            for block, (down, up) in zip(tower.resblocks, matrices, strict=True):
                block.attn = LowRankAttention(block.attn, down, up, scale=down.shape[1] ** -0.5, dropout=0.25)
        return clip


class LNTuning(Changed):
    """All layer norms."""

    def changed(self, clip: nn.Module, start: Parameters) -> nn.Module:
        for module in clip.modules():
            if isinstance(module, nn.LayerNorm):
                module.requires_grad_(True)
        return clip


class TwoStageClasses(Plain):
    """The second stage of 2SFS: the towers stay, and a vector for each class is compared with images."""

    def trained(self) -> Iterable[Tensor]:
        return [self.p["classes.weight"]]

    def features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            image = unit(self.clip.encode_image(images))
        return image, unit(self.p["classes.weight"])


class Kept(torch.autograd.Function):
    """1 for numbers above a threshold, else 0; the gradient passes as it is."""

    @staticmethod
    def forward(ctx: Any, numbers: Tensor, threshold: float) -> Tensor:
        return (numbers > threshold).to(numbers.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient, None


class MaskedAttention(nn.Module):
    """Self-attention whose weights are multiplied by masks."""

    def __init__(self, attention: nn.MultiheadAttention, in_numbers: Tensor, out_numbers: Tensor, threshold: float):
        super().__init__()
        self.frozen, self.threshold = attention, threshold
        self.in_numbers, self.out_numbers = nn.Parameter(in_numbers.clone()), nn.Parameter(out_numbers.clone())

    def forward(self, x: Tensor, *_: Tensor, **__: object) -> tuple[Tensor, None]:
        """Tokens (B, L, D) to (B, L, D)."""
        frozen = self.frozen
        weight = frozen.in_proj_weight * Kept.apply(self.in_numbers, self.threshold)
        projected = F.linear(x, weight, frozen.in_proj_bias).chunk(3, dim=-1)
        q, k, v = (part.unflatten(-1, (frozen.num_heads, -1)).transpose(1, 2) for part in projected)
        attended = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        weight = frozen.out_proj.weight * Kept.apply(self.out_numbers, self.threshold)
        return F.linear(attended, weight, frozen.out_proj.bias), None


class RAMT(Changed):
    """Masks on the image tower's attention, whose norms are in the loss; gradient dropout by the untuned model."""

    def __init__(self, clip: nn.Module, ids: Tensor, start: Parameters, untuned: Tensor, rate: float) -> None:
        super().__init__(clip, ids, start, untuned, rate)
        self.original = clip

    def changed(self, clip: nn.Module, start: Parameters) -> nn.Module:
        pairs = zip(start["in_proj"].detach(), start["out_proj"].detach(), strict=True)
        for block, (in_numbers, out_numbers) in zip(clip.visual.transformer.resblocks, pairs, strict=True):
            block.attn = MaskedAttention(block.attn, in_numbers, out_numbers, threshold=5e-3)
        return clip

    def step(self, images: Tensor, labels: Tensor) -> float:
        numbers = list(self.trained())
        logits = self.logits(unit(self.clip.encode_image(images)), self.untuned)
        with torch.no_grad():
            target = self.logits(unit(self.original.encode_image(images)), self.untuned).softmax(dim=-1)
        loss = F.cross_entropy(logits, labels) + 1e-4 * sum(each.norm() for each in numbers)
        divergence = F.kl_div(logits.log_softmax(dim=-1), target, reduction="batchmean")
        own = torch.autograd.grad(loss, numbers, retain_graph=True)
        guide = torch.autograd.grad(divergence, numbers)
        for number, mine, other in zip(numbers, own, guide, strict=True):
            purity = (1 + mine.sign() * (mine + other) / (mine.abs() + other.abs() + 1e-8)) / 2
            number.grad = mine * (purity > torch.rand_like(purity))
        self.optimizer.step()
        return loss.item()


PLAIN_WEIGHTS: dict[str, Callable[..., Plain]] = {
    "CLIP-LoRA": CLIPLoRA,
    "LNTuning": LNTuning,
    "2SFS:norms": LNTuning,
    "2SFS:classes": TwoStageClasses,
    "R-AMT": RAMT,
}
