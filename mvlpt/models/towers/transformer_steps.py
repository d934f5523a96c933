"""Steps through a frozen transformer block that compute only what is used afterwards.

The weights are read from open_clip's ``ResidualAttentionBlock`` at every call; nothing is copied or changed. A block
may also be what :func:`~mvlpt.models.towers.changes.changed_blocks` makes of one.

Shape legend: N sequences, S shared tokens, L own tokens, Q queries, P prompts, H heads, d = D / H, D width.
"""

from __future__ import annotations

import torch
from open_clip.transformer import QuickGELU, ResidualAttentionBlock
from torch import Tensor, nn
from torch.nn import functional as F

QUICK_GELU_SLOPE = 1.702


def is_standard(block: nn.Module) -> bool:
    """Whether the steps below can run this block: packed self-attention and a two-layer MLP, batch first."""
    return (
        type(block) is ResidualAttentionBlock
        and block.attn.batch_first
        and block.attn.in_proj_weight is not None
        and block.attn.in_proj_bias is not None
        and block.attn.bias_k is None
        and not block.attn.add_zero_attn
        and type(block.mlp.c_fc) is nn.Linear
        and type(block.mlp.c_proj) is nn.Linear
        and len(block.mlp) == 3
    )


def full_step(block: nn.Module, x: Tensor, *, causal: bool, fused: bool) -> Tensor:
    """Every token attends (to itself and what precedes it, if ``causal``) and is computed: (N, L, D) -> (N, L, D)."""
    qkv = _project(block, block.ln_1(x), 0, 3).unflatten(-1, (3, block.attn.num_heads, -1))
    attended = [_attend(*qkv.unbind(-3), causal=causal)]
    del qkv  # and no other reference to what was attended, so that the MLP finds this memory free
    return _finish(block, x, attended.pop(), fused)


def first_token_step(block: nn.Module, x: Tensor, *, fused: bool, prompts: Tensor | None = None) -> Tensor:
    """Only token 0 is computed; it attends to all tokens and to ``prompts``: (N, L, D) -> (N, D)."""
    normed = block.ln_1(x)
    q = _project(block, normed[:, :1], 0, 1).unflatten(-1, (block.attn.num_heads, -1))
    k, v = _keys_values(block, normed, prompts)
    attended = _attend(q, k, v, causal=False)
    return _finish(block, x[:, 0], attended[:, 0], fused)


def prompted_step(block: nn.Module, x: Tensor, prompts: Tensor, *, fused: bool) -> Tensor:
    """Tokens attend to each other and to prompts, whose own outputs are not computed: (N, L, D) -> (N, L, D).

    Args:
        prompts: (P, D), the same for every sequence, or (N, P, D).
    """
    q, k, v = _project(block, block.ln_1(x), 0, 3).chunk(3, dim=-1)
    k, v = _with_prompts(block, k, v, prompts)
    q = q.unflatten(-1, (block.attn.num_heads, -1))
    attended = _attend(q, k, v, causal=False)
    return _finish(block, x, attended, fused)


def prefix_step(block: nn.Module, x: Tensor, *, last: bool, fused: bool) -> tuple[Tensor | None, Tensor, Tensor]:
    """Runs the tokens that all prompts begin with: (S, D) -> their output, keys (H, S, d) and values (H, S, d).

    With ``last`` no output is needed, only keys and values.
    """
    normed = block.ln_1(x)
    if last:
        k, v = _project(block, normed, 1, 3).unflatten(-1, (2, block.attn.num_heads, -1)).unbind(-3)
        return None, k.transpose(0, 1), v.transpose(0, 1)
    q, k, v = _project(block, normed, 0, 3).unflatten(-1, (3, block.attn.num_heads, -1)).unbind(-3)
    attended = _attend(q[None], k[None], v[None], causal=True)[0]
    return _finish(block, x, attended, fused), k.transpose(0, 1), v.transpose(0, 1)


def suffix_step(block: nn.Module, x: Tensor, shared: tuple[Tensor, Tensor], mask: Tensor, fused: bool) -> Tensor:
    """Own tokens attend to the shared ones and, causally, to their own sequence: (N, L, D) -> (N, L, D)."""
    q, k, v = _project(block, block.ln_1(x), 0, 3).unflatten(-1, (3, block.attn.num_heads, -1)).unbind(-3)
    return _finish(block, x, _attend_shared(q, k, v, *shared, mask), fused)


def end_token_step(
    block: nn.Module, x: Tensor, shared: tuple[Tensor, Tensor] | None, ends: Tensor, uniform: bool, fused: bool
) -> Tensor:
    """Only the token at ``ends`` of each sequence is computed: (N, L, D) -> (N, D).

    Args:
        uniform: every sequence ends with its last token, so that there is no padding.
    """
    normed = block.ln_1(x)
    rows = torch.arange(x.shape[0], device=x.device)
    if uniform:
        residual, query, mask = x[:, -1], normed[:, -1], None
    else:
        residual, query = x[rows, ends], normed[rows, ends]
        padding = torch.arange(x.shape[1], device=x.device) > ends[:, None]
        mask = torch.zeros(padding.shape, dtype=x.dtype, device=x.device).masked_fill(padding, float("-inf"))
        mask = mask[:, None]  # (N, 1, L)
    q = _project(block, query[:, None], 0, 1).unflatten(-1, (block.attn.num_heads, -1))
    k, v = _project(block, normed, 1, 3).unflatten(-1, (2, block.attn.num_heads, -1)).unbind(-3)
    if shared is None:
        attended = _attend(q, k, v, causal=False, mask=None if mask is None else mask[:, None])
    else:
        attended = _attend_shared(q, k, v, *shared, mask)
    return _finish(block, residual, attended[:, 0], fused)


def _project(block: nn.Module, x: Tensor, start: int, stop: int) -> Tensor:
    """Rows ``start`` to ``stop`` of (query, key, value) of the packed projection: (..., D) -> (..., n D)."""
    width = x.shape[-1]
    weight, bias = block.attn.in_proj_weight, block.attn.in_proj_bias
    if (start, stop) != (0, 3):
        weight, bias = weight[start * width : stop * width], bias[start * width : stop * width]
    projected = F.linear(x, weight, bias)
    low_rank = getattr(block.attn, "low_rank", None)
    return projected if low_rank is None else projected + low_rank.added(x, start, stop)


def _keys_values(block: nn.Module, normed: Tensor, prompts: Tensor | None) -> tuple[Tensor, Tensor]:
    """Keys and values (N, L + P, H, d) of normalised tokens and of prompts, if there are any."""
    k, v = _project(block, normed, 1, 3).chunk(2, dim=-1)
    if prompts is not None:
        return _with_prompts(block, k, v, prompts)
    return k.unflatten(-1, (block.attn.num_heads, -1)), v.unflatten(-1, (block.attn.num_heads, -1))


def _with_prompts(block: nn.Module, k: Tensor, v: Tensor, prompts: Tensor) -> tuple[Tensor, Tensor]:
    """Joins the keys and values of the prompts to those of the tokens: (N, L + P, H, d) each."""
    n = k.shape[0]
    k_P, v_P = _project(block, block.ln_1(prompts), 1, 3).expand(n, -1, -1).chunk(2, dim=-1)
    heads = (block.attn.num_heads, -1)
    return torch.cat([k, k_P], dim=1).unflatten(-1, heads), torch.cat([v, v_P], dim=1).unflatten(-1, heads)


def _attend(q: Tensor, k: Tensor, v: Tensor, *, causal: bool, mask: Tensor | None = None) -> Tensor:
    """Scaled dot-product attention: (N, Q, H, d) -> (N, Q, H d)."""
    q, k, v = (t.transpose(1, 2) for t in (q, k, v))
    mask = None if mask is None else mask.to(q.dtype)
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal)
    return out.transpose(1, 2).flatten(2)


def _attend_shared(q: Tensor, k: Tensor, v: Tensor, shared_k: Tensor, shared_v: Tensor, mask: Tensor | None) -> Tensor:
    """Attention to shared and own tokens, the shared keys and values never repeated: (N, Q, H, d) -> (N, Q, H d).

    Args:
        q: (N, Q, H, d).
        k: own keys (N, L, H, d).
        v: own values (N, L, H, d).
        shared_k: (H, S, d).
        shared_v: (H, S, d).
        mask: additive, over own tokens only; (Q, L), or (N, 1, L) where Q is 1, or ``None``.
    """
    if q.dtype in (torch.bfloat16, torch.float16):  # the fused kernel keeps scores in fp32
        return _attend_repeated(q, k, v, shared_k, shared_v, mask)
    (n, queries, heads, d), own, shared = q.shape, k.shape[1], shared_k.shape[1]
    q, k, v = (t.permute(2, 0, 1, 3).reshape(heads * n, -1, d) for t in (q * d**-0.5, k, v))
    if mask is None:
        to_own = torch.bmm(q, k.transpose(1, 2))
    else:
        if mask.dim() == 3:
            mask = mask.expand(heads, n, queries, own).reshape(heads * n, queries, own)
        to_own = torch.baddbmm(mask, q, k.transpose(1, 2))
    to_shared = torch.bmm(q.view(heads, n * queries, d), shared_k.transpose(1, 2))
    scores = torch.cat([to_shared.view(heads, n, queries, shared), to_own.view(heads, n, queries, own)], dim=-1)
    weights = scores.softmax(dim=-1)
    from_shared = torch.bmm(weights[..., :shared].flatten(1, 2), shared_v)
    out = torch.baddbmm(from_shared.view(heads * n, queries, d), weights[..., shared:].flatten(0, 1), v)
    return out.view(heads, n, queries, d).permute(1, 2, 0, 3).reshape(n, queries, heads * d)


def _attend_repeated(
    q: Tensor, k: Tensor, v: Tensor, shared_k: Tensor, shared_v: Tensor, mask: Tensor | None
) -> Tensor:
    """As ``_attend_shared``, by repeating the shared keys and values for every sequence."""
    n = q.shape[0]
    keys = torch.cat([shared_k.transpose(0, 1).expand(n, -1, -1, -1), k], dim=1)
    values = torch.cat([shared_v.transpose(0, 1).expand(n, -1, -1, -1), v], dim=1)
    if mask is not None:
        mask = F.pad(mask, (shared_k.shape[1], 0)).unsqueeze(-3)
    return _attend(q, keys, values, causal=False, mask=mask)


def _finish(block: nn.Module, residual: Tensor, attended: Tensor, fused: bool) -> Tensor:
    """Output projection, residual and MLP of a block."""
    x = residual + block.ls_1(block.attn.out_proj(attended))
    del attended
    return x + block.ls_2(_mlp(block, block.ln_2(x), fused))


def _mlp(block: nn.Module, x: Tensor, fused: bool) -> Tensor:
    """The block's MLP; QuickGELU(h) = SiLU(a h) / a, both factors applied within the matrix products."""
    mlp = block.mlp
    if not (fused and type(mlp.gelu) is QuickGELU):
        return mlp(x)
    a = QUICK_GELU_SLOPE
    hidden = torch.addmm(mlp.c_fc.bias, x.flatten(0, -2), mlp.c_fc.weight.t(), beta=a, alpha=a)
    out = torch.addmm(mlp.c_proj.bias, F.silu(hidden), mlp.c_proj.weight.t(), alpha=1 / a)
    return out.view(*x.shape[:-1], -1)
