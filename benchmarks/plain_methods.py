"""The methods as a reader of their papers would write them: open_clip's modules, and every class's full text each step.

Nothing is shared between classes, cut, kept or fused; prompts are joined to the tokens before each block. Only the
initial values come from ours, and none of its code. ``benchmarks/methods.py`` holds ours against them, and their losses
against ours; :mod:`benchmarks.plain_weights` has methods that change the towers' weights.

Shape legend: B images, K classes, P contexts, D width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Parameters = dict[str, Tensor]


def encode_text(clip: nn.Module, ids: Tensor, contexts: Sequence[Tensor], offsets: Tensor | None = None) -> Tensor:
    """(K, E) of token ids (K, 77), with contexts (P, D) in the place of the tokens behind the first, block by block.

    Offsets (77 - 1 - P, D) are added to what is behind the contexts before the first block.
    """
    x = clip.token_embedding(ids)
    for number, block in enumerate(clip.transformer.resblocks):
        if number < len(contexts):
            own = contexts[number].expand(len(ids), -1, -1)
            x = torch.cat([x[:, :1], own, x[:, 1 + own.shape[1] :]], dim=1)
        if number == 0 and offsets is not None:
            x = torch.cat([x[:, : -len(offsets)], x[:, -len(offsets) :] + offsets], dim=1)
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
        return unit(encode_images(self.clip, images, visual)), unit(encode_text(self.clip, self.ids, text))


class IVLP(Plain):
    """Contexts of both towers, independent."""

    def features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        text, visual = [self.p["ctx"], *self.p["ctx_deep"]], [self.p["visual"], *self.p["visual_deep"]]
        return unit(encode_images(self.clip, images, visual)), unit(encode_text(self.clip, self.ids, text))


class PromptSRC(IVLP):
    """IVLP near the untuned model: text features by 25, image features by 10, and the divergence of logits."""

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        image, text = self.features(images)
        logits = self.logits(image, text)
        with torch.no_grad():
            frozen = unit(encode_images(self.clip, images))
            reference = self.logits(frozen, self.untuned).log_softmax(dim=-1)
        divergence = F.kl_div(logits.log_softmax(dim=-1), reference, reduction="sum", log_target=True) / logits.numel()
        near = 25 * F.l1_loss(text, self.untuned) + 10 * F.l1_loss(image, frozen)
        return F.cross_entropy(logits, labels) + near + divergence


class CoOp(Plain):
    """Text contexts of the first block."""

    def features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return unit(encode_images(self.clip, images)), unit(encode_text(self.clip, self.ids, [self.p["ctx"]]))


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


class DePT(Plain):
    """Contexts, and an offset of low rank for the embedding of each token behind them, at a tenth of the rate."""

    def __init__(self, clip: nn.Module, ids: Tensor, start: Parameters, untuned: Tensor, rate: float) -> None:
        super().__init__(clip, ids, start, untuned, rate)
        slow = {"params": [self.p["offset_down"], self.p["offset_up"]], "lr": rate / 10}
        self.optimizer = torch.optim.SGD([{"params": [self.p["ctx"]]}, slow], lr=rate)

    def features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        down, up = self.p["offset_down"], self.p["offset_up"]
        offsets = 8 / len(up) ** 0.5 * down @ up
        text = encode_text(self.clip, self.ids, [self.p["ctx"]], offsets)
        return unit(encode_images(self.clip, images)), unit(text)


PLAIN: dict[str, Callable[..., Plain]] = {
    "MaPLe": MaPLe,
    "IVLP": IVLP,
    "PromptSRC": PromptSRC,
    "KgCoOp": KgCoOp,
    "ProGrad": ProGrad,
    "DePT": DePT,
}


def unit(x: Tensor) -> Tensor:
    """Vectors at length one."""
    return x / x.norm(dim=-1, keepdim=True)
