"""The frozen model that prompts attach to: an unmodified open_clip model and what it can carry."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from typing import Any

import torch
from open_clip.transformer import VisionTransformer
from torch import Tensor, nn

from mvlpt.errors import BackboneError

logger = logging.getLogger(__name__)


class Backbone:
    """An open_clip model, frozen and in eval mode, with the sizes prompts need.

    The model's weights, masks and buffers are never changed.

    Args:
        model: any model built by open_clip.
        tokenizer: its tokenizer.
        name: the requested name.
        pretrained: the weights' tag or file, ``""`` if random.
    """

    def __init__(self, model: nn.Module, tokenizer: Any, *, name: str, pretrained: str = "") -> None:
        self.model = model.eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self.name = name
        self.pretrained = pretrained
        self._fingerprint: str | None = None

    def __repr__(self) -> str:
        return f"Backbone({self.name!r}, pretrained={self.pretrained!r})"

    # -- the two towers -------------------------------------------------------------------------------------------

    @property
    def text(self) -> nn.Module:
        """The module that holds the text tower's parts: the model itself or its ``text``."""
        return getattr(self.model, "text", self.model)

    @property
    def visual(self) -> nn.Module:
        """The image tower."""
        return self.model.visual

    @property
    def device(self) -> torch.device:
        """The model's device."""
        return self.model.logit_scale.device

    @property
    def text_dtype(self) -> torch.dtype:
        """The type in which the text tower computes."""
        return self.text.transformer.get_cast_dtype()

    @property
    def image_dtype(self) -> torch.dtype:
        """The type of the images that the image tower takes."""
        return next(self.visual.parameters()).dtype if not self._is_vit else self.visual.conv1.weight.dtype

    # -- sizes ----------------------------------------------------------------------------------------------------

    @property
    def text_width(self) -> int:
        """Width of a text token."""
        return self.text.token_embedding.weight.shape[1]

    @property
    def vision_width(self) -> int:
        """Width of an image token."""
        self.require_visual_prompts()
        return self.visual.conv1.weight.shape[0]

    @property
    def vision_layers(self) -> int:
        """Blocks of the image tower."""
        self.require_visual_prompts()
        return len(self.visual.transformer.resblocks)

    @property
    def text_layers(self) -> int:
        """Blocks of the text tower."""
        return len(self.text.transformer.resblocks)

    @property
    def patch_size(self) -> tuple[int, int]:
        """Height and width of a patch."""
        self.require_visual_prompts()
        return tuple(self.visual.conv1.weight.shape[-2:])

    @property
    def embed_dim(self) -> int:
        """Width of image and text features."""
        projection = getattr(self.text, "text_projection", None)
        if isinstance(projection, Tensor):
            return projection.shape[1]
        return getattr(self.visual, "output_dim", None) or self.text.output_dim

    @property
    def context_length(self) -> int:
        """The largest number of text tokens, including start and end token."""
        return self.text.context_length

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the images that the model takes."""
        size = self.visual.image_size
        return (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))

    @property
    def image_mean(self) -> tuple[float, ...]:
        """Mean of each colour channel, to subtract from images."""
        return tuple(self.visual.image_mean)

    @property
    def image_std(self) -> tuple[float, ...]:
        """Standard deviation of each colour channel, by which images are divided."""
        return tuple(self.visual.image_std)

    @property
    def interpolation(self) -> str:
        """The interpolation with which the model's training images were resized."""
        return getattr(self.visual, "preprocess_cfg", {}).get("interpolation", "bicubic")

    @property
    def logit_scale(self) -> Tensor:
        """The logarithm of the temperature's inverse."""
        return self.model.logit_scale

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the names, shapes and values of all weights; computed once."""
        if self._fingerprint is None:
            self._fingerprint = fingerprint_state(self.model.state_dict())
        return self._fingerprint

    # -- using it -------------------------------------------------------------------------------------------------

    def tokenize(self, texts: str | Sequence[str]) -> Tensor:
        """Token ids (N, context_length), int64."""
        return self.tokenizer([texts] if isinstance(texts, str) else list(texts)).to(self.device)

    def encode_image(self, images: Tensor) -> Tensor:
        """Image features (B, embed_dim), not normalised, by open_clip's own forward pass."""
        self.require_image_size(images.shape[-2:])
        return self.model.encode_image(images.to(self.device, self.image_dtype))

    def encode_text(self, tokens: Tensor) -> Tensor:
        """Text features (N, embed_dim), not normalised, by open_clip's own forward pass."""
        return self.model.encode_text(tokens.to(self.device))

    def to(self, *args: Any, **kwargs: Any) -> Backbone:
        """Moves the model as ``nn.Module.to`` does."""
        self.model.to(*args, **kwargs)
        return self

    # -- what it can carry ----------------------------------------------------------------------------------------

    def require_image_size(self, size: int | Sequence[int]) -> None:
        """Raises BackboneError unless the model takes images of this (height, width)."""
        wanted = (size, size) if isinstance(size, int) else tuple(int(n) for n in size)
        if wanted != self.image_size and (self._is_vit or "ResNet" in type(self.visual).__name__):
            raise BackboneError(
                f"Backbone '{self.name}' takes images of {self.image_size[0]} x {self.image_size[1]} pixels, "
                f"not {wanted[0]} x {wanted[1]}; set INPUT.SIZE to ({self.image_size[0]}, {self.image_size[1]})"
            )

    def require_text_prompts(self) -> None:
        """Raises BackboneError with the reason if learned text contexts cannot be put into this text tower."""
        reason = self._text_obstacle()
        if reason:
            raise BackboneError(f"Backbone '{self.name}' cannot carry text prompts: {reason}")

    def require_visual_prompts(self) -> None:
        """Raises BackboneError with the reason if visual prompts cannot be put into this image tower."""
        if not self._is_vit:
            kind = type(self.visual).__name__
            raise BackboneError(
                f"Backbone '{self.name}' cannot carry visual prompts: its image tower is a {kind}, and visual prompts "
                "need the tokens of an open_clip VisionTransformer such as ViT-B-16"
            )
        if not self._pools_class_token:
            raise BackboneError(
                f"Backbone '{self.name}' cannot carry visual prompts: its image tower does not read the class token"
            )

    @property
    def can_step_images(self) -> bool:
        """Whether the image tower can be run block by block: a ViT that reads its class token."""
        return self._is_vit and self._pools_class_token

    @property
    def can_step_text(self) -> bool:
        """Whether the text tower can be run block by block: causal, read at the end token."""
        return not self._text_obstacle()

    @property
    def _is_vit(self) -> bool:
        return isinstance(getattr(self.model, "visual", None), VisionTransformer)

    @property
    def _pools_class_token(self) -> bool:
        return self.visual.attn_pool is None and self.visual.pool_type == "tok" and not self.visual.output_tokens

    def _text_obstacle(self) -> str:
        text = self.text
        if not hasattr(text, "token_embedding") or not hasattr(text.transformer, "resblocks"):
            return f"its text tower is a {type(text).__name__}, not open_clip's own transformer"
        if getattr(text, "cls_emb", None) is not None or getattr(text, "output_tokens", False):
            return "its text tower appends a token of its own after the end token"
        mask = getattr(text, "attn_mask", None)
        if mask is None:
            return "its text tower has no causal mask, so that padding would be read as text"
        # open_clip's CLIP copies its text tower's parts and calls the pooling 'text_pool_type'
        pool = getattr(text, "text_pool_type", None) or getattr(text, "pool_type", "argmax")
        if pool not in ("argmax", "eos"):
            return f"its text feature is read by '{pool}' and not at the end token"
        if not all(hasattr(self.tokenizer, part) for part in ("encode", "sot_token_id", "eot_token_id")):
            return "its tokenizer is not open_clip's SimpleTokenizer"
        if not torch.equal(mask.float(), _causal(mask)):
            return "its text mask is not a causal one"
        return ""


def fingerprint_state(state: dict[str, Tensor]) -> str:
    """SHA-256 over names, types, shapes and bytes of the tensors, in the order of their names."""
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)};".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def _causal(mask: Tensor) -> Tensor:
    return torch.full(mask.shape, float("-inf"), device=mask.device).triu(1)
