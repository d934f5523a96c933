"""The methods as a reader of their papers would write them: open_clip's modules, and every class's full text each step.

Nothing is shared between classes, cut, kept or fused; prompts are joined to the tokens before each block. Only the
initial values come from ours, and none of its code. ``benchmarks/methods.py`` holds ours against them, and their losses
against ours.

Shape legend: B images, K classes, P contexts, R rank, D width.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Parameters = dict[str, Tensor]


def encode_text(clip: nn.Module, ids: Tensor, contexts: Sequence[Tensor]) -> Tensor:
    """(K, E) of token ids (K, 77), with contexts (P, D) in the place of the tokens behind the first, block by block."""
    x = clip.token_embedding(ids)
    for number, block in enumerate(clip.transformer.resblocks):
        if number < len(contexts):
            own = contexts[number].expand(len(ids), -1, -1)
            x = torch.cat([x[:, :1], own, x[:, 1 + own.shape[1] :]], dim=1)
        if number == 0:
            x = x + clip.positional_embedding
        x = block(x, attn_mask=clip.attn_mask)
    ends = ids.argmax(dim=-1)
    return clip.ln_final(x)[torch.arange(len(ids)), ends] @ clip.text_projection


def encode_images(clip: nn.Module, images: Tensor, prompts: Sequence[Tensor] = ()) -> Tensor:
    """(B, E): visual prompts (P, D) behind the image's tokens, those of later blocks in the place of the former."""
    visual = clip.visual
    x = visual.conv1(images).flatten(2).transpose(1, 2)
    x = torch.cat([visual.class_embedding.expand(len(x), 1, -1), x], dim=1) + visual.positional_embedding
    if prompts:
        x = torch.cat([x, prompts[0].expand(len(x), -1, -1)], dim=1)
    x = visual.ln_pre(x)
    for number, block in enumerate(visual.transformer.resblocks):
        if 0 < number < len(prompts):
            own = prompts[number].expand(len(x), -1, -1)
            x = torch.cat([x[:, : -own.shape[1]], own], dim=1)
        x = block(x)
    return visual.ln_post(x[:, 0]) @ visual.proj


class Plain:
    """A frozen CLIP and one method's parameters; ``step`` is a training step.

    Args:
        clip: open_clip's model.
        ids: token ids (K, 77) of the class prompts.
        start: initial values by their names in our checkpoints.
        untuned: text features (K, E) of the untuned model, of length one.
        rate: learning rate.
    """

    def __init__(self, clip: nn.Module, ids: Tensor, start: Parameters, untuned: Tensor, rate: float) -> None:
        self.clip, self.ids, self.untuned = clip, ids, untuned
        self.p = {name: value.detach().clone().requires_grad_() for name, value in start.items()}
        self.optimizer = torch.optim.SGD(self.trained(), lr=rate)

    def trained(self) -> Iterable[Tensor]:
        """What the optimiser moves."""
        return self.p.values()

    def features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Image features (B, E) and text features (K, E), of length one."""
        raise NotImplementedError

    def logits(self, image: Tensor, text: Tensor) -> Tensor:
        """(B, K)."""
        return self.clip.logit_scale.exp() * image @ text.t()

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy."""
        return F.cross_entropy(self.logits(*self.features(images)), labels)

    def step(self, images: Tensor, labels: Tensor) -> float:
        """Forward, backward, update; returns the loss."""
        loss = self.loss(images, labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()


class MaPLe(Plain):
    """Contexts of both towers, the visual ones projected from the textual ones."""

    def features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        p, numbers = self.p, range(sum(name.startswith("compound_prompts_text.") for name in self.p))
        text = [p["ctx"], *(p[f"compound_prompts_text.{n}"] for n in numbers)]
        maps = ["proj", *(f"compound_prompt_projections.{n}" for n in numbers)]
        pairs = zip(text, maps, strict=True)
        visual = [F.linear(context, p[f"{name}.weight"], p[f"{name}.bias"]) for context, name in pairs]
        return _unit(encode_images(self.clip, images, visual)), _unit(encode_text(self.clip, self.ids, text))


class IVLP(Plain):
    """Contexts of both towers, independent."""

    def features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        text, visual = [self.p["ctx"], *self.p["ctx_deep"]], [self.p["visual"], *self.p["visual_deep"]]
        return _unit(encode_images(self.clip, images, visual)), _unit(encode_text(self.clip, self.ids, text))


class PromptSRC(IVLP):
    """IVLP near the untuned model: text features by 25, image features by 10, and the divergence of logits."""

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        image, text = self.features(images)
        logits = self.logits(image, text)
        with torch.no_grad():
            frozen = _unit(encode_images(self.clip, images))
            reference = self.logits(frozen, self.untuned).log_softmax(dim=-1)
        divergence = F.kl_div(logits.log_softmax(dim=-1), reference, reduction="sum", log_target=True) / logits.numel()
        near = 25 * F.l1_loss(text, self.untuned) + 10 * F.l1_loss(image, frozen)
        return F.cross_entropy(logits, labels) + near + divergence


class CoOp(Plain):
    """Text contexts of the first block."""

    def features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return _unit(encode_images(self.clip, images)), _unit(encode_text(self.clip, self.ids, [self.p["ctx"]]))


class KgCoOp(CoOp):
    """CoOp whose text features stay near the untuned ones, by 8."""

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        image, text = self.features(images)
        distance = 1 - F.cosine_similarity(text, self.untuned)
        return F.cross_entropy(self.logits(image, text), labels) + 8 * distance.mean()


class ProGrad(CoOp):
    """CoOp without what works against the gradient towards the zero-shot distribution."""

    def step(self, images: Tensor, labels: Tensor) -> float:
        image, text = self.features(images)
        logits = self.logits(image, text)
        loss = F.cross_entropy(logits, labels)
        target = self.logits(image, self.untuned).softmax(dim=-1)
        divergence = F.kl_div(logits.log_softmax(dim=-1), target, reduction="batchmean")
        [own], [guide] = (torch.autograd.grad(each, [self.p["ctx"]], retain_graph=True) for each in (loss, divergence))
        along = (own * guide).sum()
        self.p["ctx"].grad = own - along / guide.square().sum() * guide if along < 0 else own
        self.optimizer.step()
        return loss.item()


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
        return _unit(self.clip.encode_image(images)), _unit(self.clip.encode_text(self.ids))


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


PLAIN: dict[str, Callable[..., Plain]] = {
    "MaPLe": MaPLe,
    "IVLP": IVLP,
    "PromptSRC": PromptSRC,
    "KgCoOp": KgCoOp,
    "ProGrad": ProGrad,
    "CLIP-LoRA": CLIPLoRA,
    "LNTuning": LNTuning,
}


def _unit(x: Tensor) -> Tensor:
    return x / x.norm(dim=-1, keepdim=True)
