"""The frozen text tower with learned contexts: one feature per class, no computation whose result is not used.

Attention in the text tower is causal and the feature is read at the end token. Hence tokens that all prompts begin
with are the same for all classes in every layer, and tokens after the end token have no effect.

Shape legend: K classes, N classes of one chunk, S shared tokens, L own tokens, P contexts, H heads, D width.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from mvlpt.errors import BackboneError, PromptError
from mvlpt.models.backbone.backbone import Backbone
from mvlpt.models.optimisations import ComputeOptimisations
from mvlpt.models.towers import transformer_steps
from mvlpt.models.towers.changes import TowerChange, changed_blocks, changed_norm
from mvlpt.models.towers.replay import Replays, can_replay
from mvlpt.models.towers.text_layout import TextLayout
from mvlpt.models.towers.text_plan import Chunk, TextPlan, make_plan

PLANS_KEPT = 64
Shared = list[tuple[Tensor, Tensor]]


class _Weights(NamedTuple):
    """The blocks of one pass, what differs in them from the frozen ones, and whether they run step by step.

    ``offsets`` (N, D) are added to the embeddings by position.
    """

    blocks: list[nn.Module]
    change: TowerChange | None
    steps: bool
    offsets: Tensor | None


class TextTower:
    """Encodes prompts with the weights of a backbone.

    Args:
        backbone: the frozen model; it must be able to carry text prompts.
        optimisations: which to use.
        chunk_tokens: most tokens that are encoded at once.

    Raises:
        BackboneError: the backbone's text tower cannot carry prompts.
    """

    def __init__(self, backbone: Backbone, optimisations: ComputeOptimisations, chunk_tokens: int) -> None:
        backbone.require_text_prompts()
        self.backbone = backbone
        self.optimisations = optimisations
        self.chunk_tokens = chunk_tokens
        self._plans: OrderedDict[tuple, tuple[TextLayout, TextPlan]] = OrderedDict()
        wants_steps = optimisations.text_prefix or optimisations.text_last_query or optimisations.fused_gelu
        self._standard = all(transformer_steps.is_standard(block) for block in self._blocks)
        self._steps = self._standard and wants_steps
        self.replays = Replays.of(backbone.model) if self._steps and optimisations.replay else None
        # whole blocks take no shared keys: without steps every prompt runs from its start token
        self._plan_optimisations = (
            optimisations if self._steps else ComputeOptimisations(**{**vars(optimisations), "text_prefix": False})
        )

    @property
    def _blocks(self) -> nn.ModuleList:
        return self.backbone.text.transformer.resblocks

    def encode(
        self,
        layout: TextLayout,
        contexts: Tensor | None,
        classes: Sequence[int] | None = None,
        *,
        deep: Tensor | None = None,
        offsets: Tensor | None = None,
        copies: int = 1,
        change: TowerChange | None = None,
    ) -> Tensor:
        """Features of classes, not normalised.

        Args:
            layout: the prompts.
            contexts: (P, D), or (K, P, D) if they are class-specific; ``None`` if the layout has none.
            classes: which classes, all if ``None``.
            deep: (J, P, D), or (J, K, P, D), contexts that replace the former ones before blocks 2 to J + 1.
            offsets: (N, D) added to the embeddings of all tokens by position; N is the model's context length.
            copies: how many such encodings the same graph will hold.
            change: of the tower's weights.

        Returns:
            (K', embed_dim).

        Raises:
            BackboneError: the tower's weights are changed, and its blocks are not of the usual kind.
        """
        if change is not None and not self._standard:
            raise BackboneError(
                f"The weights of backbone '{self.backbone.name}' cannot be tuned: its text tower has blocks of another"
                " kind than open_clip's"
            )
        inputs = {"contexts": contexts, "deep": deep, "offsets": offsets}
        inputs = {name: tensor for name, tensor in inputs.items() if tensor is not None}
        replayed = (
            self.replays is not None
            and change is None
            and copies == 1
            and can_replay(self.backbone.device, inputs.values())
        )
        plan = self._plan(layout, classes, own_prefix=change is not None and change.dropout, replayed=replayed)
        trained = change is not None or any(tensor.requires_grad for tensor in inputs.values())
        too_long = self.optimisations.text_chunks and copies * plan.tokens > self.chunk_tokens
        if replayed and not too_long:
            key = (plan, tuple(inputs), self.backbone.text_dtype)
            return self.replays(
                key, lambda *tensors: self._features(plan, **dict(zip(inputs, tensors, strict=True))), *inputs.values()
            )
        recomputed = too_long and trained and torch.is_grad_enabled()
        return self._features(plan, **inputs, change=change, recomputed=recomputed)

    def _features(
        self,
        plan: TextPlan,
        contexts: Tensor | None = None,
        deep: Tensor | None = None,
        offsets: Tensor | None = None,
        change: TowerChange | None = None,
        recomputed: bool = False,
    ) -> Tensor:
        """Features (K', embed_dim) of a plan's classes; with ``recomputed`` chunks run again in the backward pass."""
        layers = self._context_layers(contexts, deep)
        steps = self._steps or change is not None
        weights = _Weights(changed_blocks(self._blocks, change), change, steps, offsets)
        shared = self._run_prefix(plan, layers, weights) if plan.prefix else None
        if recomputed:
            options = {"use_reentrant": False, "preserve_rng_state": change is not None and change.dropout}
            features = [
                checkpoint(self._run_chunk, chunk, plan.prefix, layers, shared, weights, **options)
                for chunk in plan.chunks
            ]
        else:
            features = [self._run_chunk(chunk, plan.prefix, layers, shared, weights) for chunk in plan.chunks]
        joined = torch.cat(features) if len(features) > 1 else features[0]
        return joined if plan.order is None else joined[plan.order]

    def _plan(
        self, layout: TextLayout, classes: Sequence[int] | None, *, own_prefix: bool = False, replayed: bool = False
    ) -> TextPlan:
        """What runs together; with ``own_prefix`` every class runs its own copy of the tokens that all begin with."""
        device = self.backbone.device
        key = (id(layout), None if classes is None else tuple(classes), device, own_prefix, replayed)
        optimisations = self._plan_optimisations
        if own_prefix:
            optimisations = ComputeOptimisations(**{**vars(optimisations), "text_prefix": False})
        if key not in self._plans:
            plan = make_plan(
                layout,
                classes=classes,
                context_length=self.backbone.context_length,
                chunk_tokens=self.chunk_tokens,
                optimisations=optimisations,
                device=device,
                replayed=replayed,
            )
            self._plans[key] = (layout, plan)  # the layout is kept, so that its id stays its own
            while len(self._plans) > PLANS_KEPT:
                self._plans.popitem(last=False)
        return self._plans[key][1]

    def _context_layers(self, contexts: Tensor | None, deep: Tensor | None) -> list[Tensor]:
        """The contexts of the first block, then those of each block that replaces them, one row a context.

        Raises:
            PromptError: there are contexts for more blocks than the tower has.
        """
        if contexts is None:
            return []
        layers = [contexts, *(() if deep is None else deep)]
        if len(layers) > len(self._blocks):
            raise PromptError(
                f"There are text contexts for {len(layers)} blocks, "
                f"but backbone '{self.backbone.name}' has {len(self._blocks)}"
            )
        return [layer.to(self.backbone.text_dtype).flatten(0, -2) for layer in layers]

    def _embed(
        self, ids: Tensor, slots: Tensor | None, layers: list[Tensor], start: int, offsets: Tensor | None
    ) -> Tensor:
        """Token and position embeddings: ids (..., L) -> (..., L, D); ``slots`` says which tokens are contexts."""
        text, dtype = self.backbone.text, self.backbone.text_dtype
        x = F.embedding(ids, text.token_embedding.weight).to(dtype)
        if slots is not None:
            x = _insert(x, slots, layers[0])
        places = slice(start, start + ids.shape[-1])
        x = x + text.positional_embedding[places].to(dtype)
        return x if offsets is None else x + offsets[places].to(dtype)

    def _run_prefix(self, plan: TextPlan, layers: list[Tensor], weights: _Weights) -> Shared:
        """Keys and values (H, S, d) of the shared tokens in every block."""
        x = self._embed(plan.prefix_ids, plan.prefix_slots, layers, 0, weights.offsets)
        shared = []
        for number, block in enumerate(weights.blocks):
            x = _replace(x, plan.prefix_slots, layers, number)
            last = number + 1 == len(weights.blocks)
            x, keys, values = transformer_steps.prefix_step(block, x, last=last, fused=self.optimisations.fused_gelu)
            shared.append((keys, values))
        return shared

    def _run_chunk(
        self, chunk: Chunk, start: int, layers: list[Tensor], shared: Shared | None, weights: _Weights
    ) -> Tensor:
        """Features (N, embed_dim) of the classes of one chunk."""
        x = self._embed(chunk.ids, chunk.slots, layers, start, weights.offsets)
        if weights.steps:
            ends = self._run_steps(x, chunk, layers, shared, weights.blocks)
        else:
            ends = self._run_blocks(x, chunk, layers)
        text = self.backbone.text
        features = changed_norm(text.ln_final, None if weights.change is None else weights.change.last_norm, ends)
        if isinstance(text.text_projection, nn.Module):
            return text.text_projection(features)
        return features if text.text_projection is None else features @ text.text_projection

    def _run_steps(
        self, x: Tensor, chunk: Chunk, layers: list[Tensor], shared: Shared | None, blocks: list[nn.Module]
    ) -> Tensor:
        fused = self.optimisations.fused_gelu
        mask = _causal_mask(x) if shared is not None else None
        for number, block in enumerate(blocks):
            x = _replace(x, chunk.slots, layers, number)
            if number + 1 == len(blocks) and self.optimisations.text_last_query:
                own = None if shared is None else shared[-1]
                return transformer_steps.end_token_step(block, x, own, chunk.ends, chunk.uniform, fused)
            if shared is None:
                x = transformer_steps.full_step(block, x, causal=True, fused=fused)
            else:
                x = transformer_steps.suffix_step(block, x, shared[number], mask, fused)
        return _read(x, chunk)

    def _run_blocks(self, x: Tensor, chunk: Chunk, layers: list[Tensor]) -> Tensor:
        mask = _causal_mask(x)
        for number, block in enumerate(self._blocks):
            x = block(_replace(x, chunk.slots, layers, number), attn_mask=mask)
        return _read(x, chunk)


def _insert(x: Tensor, slots: Tensor, contexts: Tensor) -> Tensor:
    """Tokens (..., L, D), with rows of ``contexts`` where ``slots`` (..., L) is not negative."""
    return torch.where((slots >= 0)[..., None], F.embedding(slots.clamp_min(0), contexts), x)


def _replace(x: Tensor, slots: Tensor | None, layers: list[Tensor], number: int) -> Tensor:
    """The input of block ``number``, with the contexts of its own where there are some."""
    return _insert(x, slots, layers[number]) if slots is not None and 0 < number < len(layers) else x


def _causal_mask(x: Tensor) -> Tensor:
    """Additive mask (L, L), a new tensor: the model's own mask stays as it is."""
    length = x.shape[1]
    return torch.full((length, length), float("-inf"), dtype=x.dtype, device=x.device).triu_(1)


def _read(x: Tensor, chunk: Chunk) -> Tensor:
    return x[torch.arange(x.shape[0], device=x.device), chunk.ends]
