"""Trained changes of a tower's frozen weights, applied as its blocks run; the weights themselves stay as they are.

Shape legend: D width, R rank, J tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Affine = tuple[Tensor, Tensor]  # weight (D,) and bias (D,) of a layer norm


@dataclass(frozen=True)
class LowRank:
    """What is added to the projections of queries, keys and values: scale * up (down x), each with its own matrices.

    Attributes:
        down: (3, R, D).
        up: (3, D, R).
        scale: of the sum.
        dropout: probability of dropping each number of x, drawn anew for each of the three.
    """

    down: Tensor
    up: Tensor
    scale: float
    dropout: float = 0.0

    def weight(self, base: Tensor) -> Tensor:
        """The packed weight (3 D, D) with the change in it; for passes without dropout."""
        return base + self.scale * torch.bmm(self.up, self.down).flatten(0, 1).to(base.dtype)

    def added(self, x: Tensor, start: int, stop: int) -> Tensor:
        """What rows ``start`` to ``stop`` of (query, key, value) add for tokens (..., J, D): (..., J, n D)."""
        parts = []
        for number in range(start, stop):
            dropped = F.dropout(x, self.dropout) if self.dropout else x
            parts.append(F.linear(F.linear(dropped, self.down[number].to(x.dtype)), self.up[number].to(x.dtype)))
        return self.scale * torch.cat(parts, dim=-1)


@dataclass(frozen=True)
class BlockChange:
    """What differs in one block.

    Attributes:
        attention: added to the projections of queries, keys and values.
        in_proj: (3 D, D) factors of their packed weight, entry by entry.
        out_proj: (D, D) factors of the output projection's weight.
        ln_1: in the place of the first layer norm's weight and bias.
        ln_2: in the place of the second one's.
    """

    attention: LowRank | None = None
    in_proj: Tensor | None = None
    out_proj: Tensor | None = None
    ln_1: Affine | None = None
    ln_2: Affine | None = None


@dataclass(frozen=True)
class TowerChange:
    """What differs in a tower.

    Attributes:
        blocks: one for each block.
        last_norm: in the place of the weight and bias of the norm after the last block.
        first_norm: the same for the norm before the first block (image towers).
    """

    blocks: Sequence[BlockChange]
    last_norm: Affine | None = None
    first_norm: Affine | None = None

    @property
    def dropout(self) -> bool:
        """Whether two passes over equal tokens differ."""
        return any(change.attention is not None and change.attention.dropout for change in self.blocks)


def changed_blocks(blocks: Sequence[nn.Module], change: TowerChange | None) -> list[nn.Module]:
    """The blocks as the steps of :mod:`~mvlpt.models.towers.transformer_steps` read them, with the changes in place."""
    if change is None:
        return list(blocks)
    return [_changed(block, own) for block, own in zip(blocks, change.blocks, strict=True)]


def changed_norm(norm: nn.Module, affine: Affine | None, x: Tensor) -> Tensor:
    """A layer norm, with other weights if there are some."""
    if affine is None:
        return norm(x)
    weight, bias = (part.to(x.dtype) for part in affine)
    return F.layer_norm(x, norm.normalized_shape, weight, bias, norm.eps)


def _changed(block: nn.Module, change: BlockChange) -> SimpleNamespace:
    attn, low_rank = block.attn, change.attention
    weight, extra, out_proj = attn.in_proj_weight, None, attn.out_proj
    if change.in_proj is not None:
        weight = _product(weight, change.in_proj)
    if change.out_proj is not None:
        out_proj = partial(F.linear, weight=_product(out_proj.weight, change.out_proj), bias=out_proj.bias)
    if low_rank is not None and low_rank.dropout:
        extra = low_rank
    elif low_rank is not None:
        weight = low_rank.weight(weight)
    return SimpleNamespace(
        attn=SimpleNamespace(
            in_proj_weight=weight,
            in_proj_bias=attn.in_proj_bias,
            num_heads=attn.num_heads,
            out_proj=out_proj,
            low_rank=extra,
        ),
        ln_1=lambda x: changed_norm(block.ln_1, change.ln_1, x),
        ln_2=lambda x: changed_norm(block.ln_2, change.ln_2, x),
        ls_1=block.ls_1,
        ls_2=block.ls_2,
        mlp=block.mlp,
    )


def _product(weight: Tensor, factors: Tensor) -> Tensor:
    return weight * factors.to(weight.dtype)
