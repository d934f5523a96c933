"""The straightforward way, written from the papers' formulas: what ours must equal, and what it is measured against.

Every class's full-length text goes through the whole text tower at every step, every image token through every block;
nothing is shared, cut, kept or fused. Plain tensor operations on a backbone's own weights; only the prompt learner's
parameters are shared with ``mvlpt.models``, none of its code is used.

Shape legend: B images, K classes, L tokens, P contexts, N image tokens, D width.
"""

from __future__ import annotations

import re

import torch
from torch import Tensor, nn


class ReferenceCLIP(nn.Module):
    """CoOp, VPT, UPT and CoCoOp on a ViT CLIP.

    Args:
        clip: open_clip's model.
        tokenizer: its tokenizer.
        class_names: the classes.
        parameters: the prompt's parameters by upstream's names; the very tensors whose gradients are wanted.
        position: where the class name stands: ``end``, ``middle``, ``front``.
        ranges: (start, stop) of each task's classes.
        per_task: exclude other tasks' classes.
        legacy: repeat upstream's errors.
    """

    def __init__(
        self,
        clip: nn.Module,
        tokenizer,
        class_names: list[str],
        parameters: dict[str, Tensor],
        *,
        position: str = "end",
        ranges: list[tuple[int, int]] | None = None,
        per_task: bool = False,
        legacy: bool = False,
    ) -> None:
        super().__init__()
        self.clip = [clip]  # not a submodule
        self.text = getattr(clip, "text", clip)
        self.tokenizer = tokenizer
        self.names = [name.replace("_", " ") for name in class_names]
        self.p = parameters
        self.position = position
        self.ranges = ranges
        self.per_task = per_task
        self.legacy = legacy
        with torch.no_grad():  # what no step changes: embeddings of the words before and after the contexts
            self.words = [tuple(self._embed(ids) for ids in self._words(name)) for name in self.names]
            self.padding = self._embed([0])
            self.ends = torch.tensor([len(before) + len(after) - 1 for before, after in self.words])
            self.fixed = torch.stack([self._padded([before, after]) for before, after in self.words])

    # -- prompts --------------------------------------------------------------------------------------------------

    def prompts(self) -> tuple[Tensor | None, list[Tensor] | None, bool]:
        """Text contexts, visual prompts per block, and whether there are deep ones."""
        p = self.p
        text = p.get("ctx", p.get("cocoop_ctx"))
        if "vpt_embeddings" not in p:
            return text, None, False
        visual = [p["vpt_embeddings"][0]]
        deep = "vpt_embeddings_deep" in p
        if deep:
            visual += list(p["vpt_embeddings_deep"])
        if "vpt_proj.weight" in p:
            visual = [v @ p["vpt_proj.weight"].T + p["vpt_proj.bias"] for v in visual]
        if "ctx" in p and any(name.startswith("mvlpt_proj") for name in p):
            text, visual = self.unify(text, visual)
        return text, visual, deep

    def unify(self, text: Tensor, visual: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """UPT: project down, one transformer block over all prompts, project up."""
        p, count = self.p, visual[0].shape[0]
        tokens = torch.cat([self._linear("coop_pre", text.reshape(-1, text.shape[-1])),
                            self._linear("vpt_pre", torch.cat(visual))])  # fmt: skip
        if "mvlpt_proj.resblocks.0.ln_1.weight" in p:
            w = {name.removeprefix("mvlpt_proj.resblocks.0."): value for name, value in p.items()}
            width = tokens.shape[-1]
            normed = torch.layer_norm(tokens, (width,), w["ln_1.weight"], w["ln_1.bias"])
            q, k, v = (normed @ w["attn.in_proj_weight"].T + w["attn.in_proj_bias"]).chunk(3, dim=-1)
            weights = torch.softmax(q @ k.T / width**0.5, dim=-1)
            if self.legacy:  # every token is a sequence of its own
                weights = torch.eye(len(tokens), dtype=tokens.dtype)
            tokens = tokens + (weights @ v) @ w["attn.out_proj.weight"].T + w["attn.out_proj.bias"]
            normed = torch.layer_norm(tokens, (width,), w["ln_2.weight"], w["ln_2.bias"])
            hidden = normed @ w["mlp.c_fc.weight"].T + w["mlp.c_fc.bias"]
            hidden = hidden * torch.sigmoid(1.702 * hidden)
            tokens = tokens + hidden @ w["mlp.c_proj.weight"].T + w["mlp.c_proj.bias"]
        else:
            tokens = nn.functional.gelu(tokens)
        first = text.numel() // text.shape[-1]
        text = self._linear("coop_post", tokens[:first]).reshape(text.shape)
        return text, list(self._linear("vpt_post", tokens[first:]).split(count))

    def _linear(self, name: str, x: Tensor) -> Tensor:
        weight = self.p.get(f"mvlpt_proj_ctx_{name}.weight")
        return x if weight is None else x @ weight.T + self.p[f"mvlpt_proj_ctx_{name}.bias"]

    # -- text -----------------------------------------------------------------------------------------------------

    def text_features(self, contexts: Tensor | None) -> Tensor:
        """(K, E): contexts (P, D) or (K, P, D) in the place of words, full context length, feature at the end token."""
        text, length = self.text, self.text.context_length
        if contexts is None:
            x, ends = self.fixed, self.ends
        else:
            count = contexts.shape[-2]
            own, ends = contexts.expand(len(self.words), count, -1), self.ends + count
            if self.position == "end":
                x = torch.cat([self.fixed[:, :1], own, self.fixed[:, 1 : length - count]], dim=1)
            else:
                x = torch.stack([self._around(k, own[k]) for k in range(len(self.words))])
        x = x + text.positional_embedding
        mask = torch.full((length, length), float("-inf"), device=x.device, dtype=x.dtype).triu(1)
        for block in text.transformer.resblocks:
            x = _block(block, x, mask)
        x = _norm(text.ln_final, x)[torch.arange(len(ends)), ends]
        return x @ text.text_projection

    def _around(self, k: int, contexts: Tensor) -> Tensor:
        """The prompt of class ``k`` with contexts around or behind its name: (L, D)."""
        before, after = self.words[k]
        if self.position == "front":
            return self._padded([before, contexts, after])
        half = contexts.shape[0] // 2
        return self._padded([before[:1], contexts[:half], before[1:], contexts[half:], after])

    def _padded(self, parts: list[Tensor]) -> Tensor:
        row = torch.cat(parts)
        return torch.cat([row, self.padding.expand(self.text.context_length - len(row), -1)])

    def _words(self, name: str) -> tuple[list[int], list[int]]:
        """Token ids up to the end of the name, and those after it (with contexts); or all of them."""
        start, end = self.tokenizer.sot_token_id, self.tokenizer.eot_token_id
        if "ctx" not in self.p and "cocoop_ctx" not in self.p:
            return [start, *self.tokenizer.encode(f"a photo of a {name}."), end], []
        ids = self.tokenizer.encode(f"{name}.")
        cut = len(self.tokenizer.encode(name))
        return [start, *ids[:cut]], [*ids[cut:], end]

    def _embed(self, ids: list[int]) -> Tensor:
        table = self.text.token_embedding.weight
        return table[torch.tensor(ids, dtype=torch.long, device=table.device)]

    # -- images ---------------------------------------------------------------------------------------------------

    def image_features(self, images: Tensor, visual: list[Tensor] | None, deep: bool) -> Tensor:
        """(B, E): prompts behind the class token, replaced before every block if deep; feature at the class token."""
        tower = self.clip[0].visual
        x = torch.nn.functional.conv2d(images, tower.conv1.weight, stride=tower.conv1.stride)
        x = x.flatten(2).transpose(1, 2)
        x = torch.cat([tower.class_embedding.expand(x.shape[0], 1, -1), x], dim=1) + tower.positional_embedding
        if isinstance(tower.ln_pre, nn.LayerNorm):
            x = _norm(tower.ln_pre, x)
        count = 0 if visual is None else visual[0].shape[0]
        for number, block in enumerate(tower.transformer.resblocks):
            if visual is not None and (deep or number == 0):
                prompts = visual[number].expand(x.shape[0], -1, -1)
                rest = x[:, 1:] if number == 0 else x[:, 1 + count :]
                x = torch.cat([x[:, :1], prompts, rest], dim=1)
            x = _block(block, x, None)
        return _norm(tower.ln_post, x[:, 0]) @ tower.proj

    # -- logits ---------------------------------------------------------------------------------------------------

    def forward(self, images: Tensor, task: Tensor | None = None) -> Tensor:
        """Logits (B, K)."""
        text, visual, deep = self.prompts()
        image = _unit(self.image_features(images, visual, deep))
        return self.classify(image, text, task)

    def classify(self, image: Tensor, text: Tensor | None, task: Tensor | None = None) -> Tensor:
        """Logits (B, K) from normalised image features (B, E)."""
        scale = self.clip[0].logit_scale.exp()
        if "cocoop_ctx" in self.p:
            p, rows = self.p, []
            for feature in image:
                hidden = torch.relu(p["meta_net.linear1.weight"] @ feature + p["meta_net.linear1.bias"])
                shift = p["meta_net.linear2.weight"] @ hidden + p["meta_net.linear2.bias"]
                rows.append(scale * feature @ _unit(self.text_features(text + shift)).T)
            logits = torch.stack(rows)
        else:
            logits = scale * image @ _unit(self.text_features(text)).T
        if not self.per_task:
            return logits
        filling = 0.0 if self.legacy else float("-inf")
        out = torch.full_like(logits, filling)
        for row, t in enumerate(task.tolist()):
            start, stop = self.ranges[t]
            out[row, start:stop] = logits[row, start:stop]
        return out


def _unit(x: Tensor) -> Tensor:
    return x / x.norm(dim=-1, keepdim=True)


def _norm(ln: nn.LayerNorm, x: Tensor) -> Tensor:
    return torch.layer_norm(x, ln.normalized_shape, ln.weight, ln.bias, ln.eps)


def _block(block: nn.Module, x: Tensor, mask: Tensor | None) -> Tensor:
    """x + attention(ln(x)), then x + mlp(ln(x)): (B, L, D)."""
    batch, length, width = x.shape
    heads = block.attn.num_heads
    qkv = nn.functional.linear(_norm(block.ln_1, x), block.attn.in_proj_weight, block.attn.in_proj_bias)
    q, k, v = qkv.reshape(batch, length, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
    attended = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    attended = attended.transpose(1, 2).reshape(batch, length, width)
    x = x + _scaled(block.ls_1, block.attn.out_proj(attended))
    hidden = block.mlp.c_fc(_norm(block.ln_2, x))
    quick = re.search("quick", type(block.mlp.gelu).__name__, re.IGNORECASE)
    hidden = hidden * torch.sigmoid(1.702 * hidden) if quick else nn.functional.gelu(hidden)
    return x + _scaled(block.ls_2, block.mlp.c_proj(hidden))


def _scaled(layer_scale: nn.Module, x: Tensor) -> Tensor:
    return x * layer_scale.gamma if hasattr(layer_scale, "gamma") else x
