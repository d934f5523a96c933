"""The training-time forward pass of an open_clip model: same parameters and results, written for small CPUs.

Attention is two plain matrix products around a softmax (the fused kernel's backward in bfloat16 is several times slower
on CPUs), dropped patches are never computed, and text is cut to the longest caption of the batch.

Shapes: B batch, N patches, L tokens, D width, H heads, E embedding.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F


def _attention(x: torch.Tensor, attn: nn.MultiheadAttention, mask: torch.Tensor | None) -> torch.Tensor:
    """Multi-head self-attention: (B, L, D) -> (B, L, D)."""
    b, n, d = x.shape
    heads = attn.num_heads
    qkv = F.linear(x, attn.in_proj_weight, attn.in_proj_bias).view(b, n, 3, heads, d // heads).permute(2, 0, 3, 1, 4)
    q, k, v = qkv.unbind(0)
    scores = (q * (d // heads) ** -0.5) @ k.transpose(-2, -1)
    if mask is not None:
        scores = scores + mask.to(scores.dtype)
    out = scores.softmax(-1) @ v
    return F.linear(out.transpose(1, 2).reshape(b, n, d), attn.out_proj.weight, attn.out_proj.bias)


def _norm(x: torch.Tensor, norm: nn.LayerNorm) -> torch.Tensor:
    return F.layer_norm(x, norm.normalized_shape, norm.weight.to(x.dtype), norm.bias.to(x.dtype), norm.eps)


def _blocks(x: torch.Tensor, blocks: nn.ModuleList, mask: torch.Tensor | None = None) -> torch.Tensor:
    """Residual attention blocks: (B, L, D) -> (B, L, D)."""
    for block in blocks:
        x = x + _attention(_norm(x, block.ln_1), block.attn, mask)
        x = x + block.mlp(_norm(x, block.ln_2))
    return x


def encode_image(
    visual: nn.Module, image: torch.Tensor, *, drop: float = 0.0, generator: torch.Generator | None = None
) -> torch.Tensor:
    """Image features, not normalised.

    Args:
        visual: open_clip ``VisionTransformer`` with class-token pooling.
        image: (B, 3, H, W) normalised pixels.
        drop: Share of patches left out, another choice for every image.
        generator: Source of the choice.

    Returns:
        (B, E).
    """
    patch = visual.patch_size[0]
    b, c, h, w = image.shape
    patches = image.view(b, c, h // patch, patch, w // patch, patch).permute(0, 2, 4, 1, 3, 5)
    patches = patches.reshape(b, (h // patch) * (w // patch), c * patch * patch)
    position = visual.positional_embedding
    if drop > 0:
        keep = round(patches.shape[1] * (1 - drop))
        chosen = torch.rand(b, patches.shape[1], generator=generator).topk(keep, dim=1).indices
        patches = patches.gather(1, chosen[..., None].expand(-1, -1, patches.shape[-1]))
        patch_position = position[1:][chosen]
    else:
        patch_position = position[1:][None]
    x = F.linear(patches, visual.conv1.weight.flatten(1)) + patch_position
    start = (visual.class_embedding + position[0]).to(x.dtype).expand(b, 1, -1)
    x = _blocks(_norm(torch.cat([start, x], 1), visual.ln_pre), visual.transformer.resblocks)
    return _norm(x[:, 0], visual.ln_post) @ visual.proj


def encode_text(model: nn.Module, tokens: torch.Tensor) -> torch.Tensor:
    """Text features, not normalised: (B, L) int64 token numbers, zero-padded -> (B, E)."""
    end = tokens.argmax(1)
    length = int(end.max()) + 1
    tokens = tokens[:, :length]
    x = model.token_embedding(tokens) + model.positional_embedding[:length]
    x = _blocks(x, model.transformer.resblocks, model.attn_mask[:length, :length])
    return _norm(x[torch.arange(len(x)), end], model.ln_final) @ model.text_projection
