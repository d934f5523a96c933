"""The frozen image tower with visual prompts: one feature per image.

Prompts follow the class token; they are inserted after ``ln_pre`` and have no positional embedding. Deep prompts are
replaced before every block, so the output of a deep prompt is never used, and without dropout its keys and values are
the same for all images of a batch.

Shape legend: B images, N tokens of an image (class token and patches), P prompts, L layers, D width.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mvlpt.errors import BackboneError, PromptError
from mvlpt.models.backbone.backbone import Backbone
from mvlpt.models.optimisations import ComputeOptimisations
from mvlpt.models.towers import transformer_steps
from mvlpt.models.towers.changes import TowerChange, changed_blocks, changed_norm
from mvlpt.models.towers.replay import Replays, can_replay


class ImageTower:
    """Encodes images with the weights of a backbone.

    Args:
        backbone: the frozen model.
        optimisations: which to use.
    """

    def __init__(self, backbone: Backbone, optimisations: ComputeOptimisations) -> None:
        self.backbone = backbone
        self.optimisations = optimisations
        self._can_step = backbone.can_step_images and all(
            transformer_steps.is_standard(block) for block in self._blocks
        )
        self.replays = Replays.of(backbone.model) if self._can_step and optimisations.replay else None

    @property
    def _blocks(self) -> nn.ModuleList:
        return self.backbone.visual.transformer.resblocks

    def encode(
        self,
        images: Tensor,
        first: Tensor | None = None,
        deep: Tensor | None = None,
        dropout: float = 0.0,
        change: TowerChange | None = None,
    ) -> Tensor:
        """Features of images, not normalised.

        Args:
            images: (B, 3, height, width).
            first: (P, D), or (B, P, D), prompts of the first block; ``None``: no visual prompts.
            deep: (J, P, D), or (J, B, P, D), prompts that replace the former ones before blocks 2 to J + 1; those of
                the last such block, or without ``deep`` the first ones, pass through the blocks that follow.
            dropout: probability with which each number of each image's prompts is dropped.
            change: of the tower's weights.

        Returns:
            (B, embed_dim).

        Raises:
            BackboneError: the tower's weights are changed, and its blocks are not of the usual kind.
        """
        self.backbone.require_image_size(images.shape[-2:])
        if change is not None and not self._can_step:
            raise BackboneError(
                f"The weights of backbone '{self.backbone.name}' cannot be tuned: its image tower has blocks of another"
                " kind than a ViT of open_clip"
            )
        plain = change is None and not (self._can_step and self.optimisations.image_last_query)
        if first is None and plain:
            return self.backbone.encode_image(images)
        images = images.to(self.backbone.device, self.backbone.image_dtype)
        prompts = [] if first is None else [first] if deep is None else [first, deep]
        if self.replays is not None and change is None and not dropout and can_replay(images.device, prompts):
            return self.replays(self.backbone.image_dtype, self._features, images, *prompts)
        return self._features(images, *prompts, dropout=dropout, change=change)

    def _features(
        self, images: Tensor, *prompts: Tensor, dropout: float = 0.0, change: TowerChange | None = None
    ) -> Tensor:
        """Features of pixels in the tower's number type; the prompts are none, those of the first block, or all."""
        blocks = changed_blocks(self._blocks, change)
        x = self._patches(images, change)
        if not prompts:
            return self._head(self._run_tokens(x, blocks), change)
        first = _for_batch(prompts[0].to(x.dtype), x.shape[0], dropout)
        if len(prompts) == 1:
            return self._head(self._run_tokens(_insert(x, first), blocks), change)
        return self._head(self._run_deep(x, first, prompts[1].to(x.dtype), dropout, blocks), change)

    def _patches(self, pixels: Tensor, change: TowerChange | None) -> Tensor:
        """Class token and patches, ready for the first block: (B, N, D)."""
        visual = self.backbone.visual
        if change is None or change.first_norm is None:
            return visual._embeds(pixels)
        replaced = visual.ln_pre.register_forward_hook(  # for this pass only
            lambda norm, inputs, output: changed_norm(norm, change.first_norm, inputs[0])
        )
        try:
            return visual._embeds(pixels)
        finally:
            replaced.remove()

    def _head(self, token: Tensor, change: TowerChange | None) -> Tensor:
        visual = self.backbone.visual
        features = changed_norm(visual.ln_post, None if change is None else change.last_norm, token)
        return features if visual.proj is None else features @ visual.proj

    def _run_tokens(self, x: Tensor, layers: Sequence[nn.Module]) -> Tensor:
        """Runs all tokens through some blocks and returns the class token: (B, D)."""
        fused = self.optimisations.fused_gelu
        last_query = self._can_step and self.optimisations.image_last_query
        for block in layers[:-1] if last_query else layers:
            x = transformer_steps.full_step(block, x, causal=False, fused=fused) if self._can_step else block(x)
        return transformer_steps.first_token_step(layers[-1], x, fused=fused) if last_query else x[:, 0]

    def _run_deep(
        self, x: Tensor, prompts: Tensor, deep: Tensor, dropout: float, layers: Sequence[nn.Module]
    ) -> Tensor:
        if deep.shape[0] >= len(layers):
            raise PromptError(
                f"There are deep visual prompts for {deep.shape[0] + 1} blocks, "
                f"but backbone '{self.backbone.name}' has {len(layers)}"
            )
        keys_only = self._can_step and self.optimisations.image_deep_keys
        for number, block in enumerate(layers):
            if number:
                prompts = _for_batch(deep[number - 1], x.shape[0], dropout)
            last = number == len(layers) - 1
            if number == len(deep) and not last:  # nothing replaces these prompts: they stay among the tokens
                return self._run_tokens(_insert(x, prompts), layers[number:])
            if keys_only:
                if last and self.optimisations.image_last_query:
                    return transformer_steps.first_token_step(
                        block, x, fused=self.optimisations.fused_gelu, prompts=prompts
                    )
                x = transformer_steps.prompted_step(block, x, prompts, fused=self.optimisations.fused_gelu)
                continue
            joined = _insert(x, prompts)
            if last and self._can_step and self.optimisations.image_last_query:
                return transformer_steps.first_token_step(block, joined, fused=self.optimisations.fused_gelu)
            if self._can_step:
                joined = transformer_steps.full_step(block, joined, causal=False, fused=self.optimisations.fused_gelu)
            else:
                joined = block(joined)
            x = torch.cat([joined[:, :1], joined[:, 1 + prompts.shape[-2] :]], dim=1)
        return x[:, 0]


def _for_batch(prompts: Tensor, batch: int, dropout: float) -> Tensor:
    """The prompts (P, D) or (B, P, D); under dropout each image's own (B, P, D)."""
    return F.dropout(prompts.expand(batch, -1, -1), dropout) if dropout else prompts


def _insert(x: Tensor, prompts: Tensor) -> Tensor:
    """Puts prompts (P, D) or (B, P, D) after the class token: (B, 1 + P + N - 1, D)."""
    prompts = prompts.expand(x.shape[0], -1, -1)
    return torch.cat([x[:, :1], prompts, x[:, 1:]], dim=1)
