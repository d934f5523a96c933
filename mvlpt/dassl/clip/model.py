"""A CLIP with OpenAI's attributes, made of open_clip's blocks.

Shapes: B images or prompts, L tokens, D width. As in OpenAI's code, the blocks take (L, B, D) and hold their own mask.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import torch
from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg
from open_clip.transformer import ResidualAttentionBlock
from torch import Tensor, nn

from mvlpt.errors import BackboneError
from mvlpt.io import compare_states, first_line


class Block(ResidualAttentionBlock):
    """open_clip's block for (L, B, D), with the causal mask of the text tower where it has one."""

    def forward(self, q_x: Tensor, k_x: Any = None, v_x: Any = None, attn_mask: Tensor | None = None) -> Tensor:
        """(L, B, D) to (L, B, D)."""
        mask = self.attn_mask if attn_mask is None else attn_mask
        length = q_x.shape[0]
        mask = mask[:length, :length].to(q_x) if mask is not None else None
        return super().forward(q_x, attn_mask=mask)


class Transformer(nn.Module):
    """``width``, ``layers`` and ``resblocks`` as OpenAI's."""

    def __init__(self, blocks: Any, width: int, mask: Tensor | None = None) -> None:
        super().__init__()
        for block in blocks:
            block.__class__ = Block
            block.attn.batch_first = False
            block.attn_mask = mask
        self.width, self.layers = width, len(blocks)
        self.resblocks = nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        """(L, B, D) to (L, B, D)."""
        return self.resblocks(x)


class VisionTransformer(nn.Module):
    """The image tower's parts under OpenAI's names.

    Args:
        visual: open_clip's tower; its parts are taken over.
    """

    def __init__(self, visual: nn.Module) -> None:
        super().__init__()
        self.input_resolution = visual.image_size[0]
        self.output_dim = visual.output_dim
        self.conv1 = visual.conv1
        self.class_embedding = visual.class_embedding
        self.positional_embedding = visual.positional_embedding
        self.ln_pre = visual.ln_pre
        self.transformer = Transformer(list(visual.transformer.resblocks), visual.conv1.weight.shape[0])
        self.ln_post = visual.ln_post
        self.proj = visual.proj

    def forward(self, x: Tensor) -> Tensor:
        """Features (B, E) of images (B, 3, H, W)."""
        x = self.conv1(x).flatten(2).transpose(1, 2)
        start = self.class_embedding.to(x.dtype).expand(len(x), 1, -1)
        x = self.ln_pre(torch.cat([start, x], dim=1) + self.positional_embedding.to(x.dtype))
        x = self.transformer(x.transpose(0, 1))[0]
        x = self.ln_post(x)
        return x if self.proj is None else x @ self.proj


class OpenAIShape(nn.Module):
    """CLIP with ``visual``, ``transformer``, ``token_embedding``, ``ln_final``, ``text_projection``, ``logit_scale``.

    Args:
        model: open_clip's model; its parts are taken over.
    """

    def __init__(self, model: CLIP) -> None:
        super().__init__()
        is_vit = hasattr(model.visual, "transformer")
        self.visual = VisionTransformer(model.visual) if is_vit else model.visual
        if not is_vit:
            self.visual.input_resolution = model.visual.image_size
        self.context_length, self.vocab_size = model.context_length, model.vocab_size
        self.transformer = Transformer(
            list(model.transformer.resblocks), model.ln_final.weight.shape[0], model.attn_mask
        )
        self.token_embedding = model.token_embedding
        self.positional_embedding = model.positional_embedding
        self.ln_final = model.ln_final
        self.text_projection = model.text_projection
        self.logit_scale = model.logit_scale

    @property
    def dtype(self) -> torch.dtype:
        """The type that images are cast to."""
        return self.visual.conv1.weight.dtype

    def encode_image(self, image: Tensor) -> Tensor:
        """Features (B, E) of images (B, 3, H, W), not normalised."""
        return self.visual(image.type(self.dtype))

    def encode_text(self, text: Tensor) -> Tensor:
        """Features (B, E) of token ids (B, L), read at the end token, not normalised."""
        x = self.token_embedding(text).type(self.dtype) + self.positional_embedding.type(self.dtype)
        x = self.ln_final(self.transformer(x.transpose(0, 1)).transpose(0, 1)).type(self.dtype)
        return x[torch.arange(len(x)), text.argmax(dim=-1)] @ self.text_projection

    def forward(self, image: Tensor, text: Tensor) -> tuple[Tensor, Tensor]:
        """Scores (B, N) of images against texts, and their transpose."""
        features = [nn.functional.normalize(part, dim=1) for part in (self.encode_image(image), self.encode_text(text))]
        scores = self.logit_scale.exp() * features[0] @ features[1].t()
        return scores, scores.t()


def build_model(state_dict: dict[str, Tensor], *_: Any) -> OpenAIShape:
    """A model from OpenAI's state dict, in fp16 as OpenAI's ``build_model`` gives it.

    Args:
        state_dict: weights; sizes are read from their shapes. Heads are 64 wide, as in all of OpenAI's models.

    Raises:
        BackboneError: the weights are of no CLIP of OpenAI's shape.
    """
    extra = ("input_resolution", "context_length", "vocab_size", "attn_mask")
    shape = {key: value.flatten()[0].item() for key, value in state_dict.items() if key.startswith("mvlpt.")}
    state = {key: value for key, value in state_dict.items() if key not in extra and key not in shape}
    try:
        # cast_dtype only chooses layer norms that compute in fp32 whatever they are given
        model = CLIP(
            quick_gelu=bool(shape.get("mvlpt.quick_gelu", True)), cast_dtype=torch.float16, **_sizes(state, shape)
        )
    except KeyError as error:
        raise BackboneError(f"These weights are not of OpenAI's CLIP: they have no {error}") from error
    except (RuntimeError, ValueError, TypeError, IndexError, AssertionError, ZeroDivisionError) as error:
        raise BackboneError(f"These weights are not of OpenAI's CLIP: {first_line(error)}") from error
    if differences := compare_states(model.state_dict(), state):
        raise BackboneError(f"These weights are not of OpenAI's CLIP: {differences}")
    model.load_state_dict({key: value.float() for key, value in state.items()})
    shaped = OpenAIShape(model)
    convert_weights(shaped)
    return shaped.eval()


def _sizes(state: dict[str, Tensor], shape: dict[str, Any]) -> dict[str, Any]:
    width = state["ln_final.weight"].shape[0]
    text = CLIPTextCfg(
        context_length=state["positional_embedding"].shape[0],
        vocab_size=state["token_embedding.weight"].shape[0],
        width=width,
        heads=shape.get("mvlpt.text_heads", max(1, width // 64)),
        layers=_count(state, r"transformer\.resblocks\.(\d+)\."),
    )
    if "visual.proj" in state:
        patch = state["visual.conv1.weight"].shape[-1]
        grid = math.isqrt(state["visual.positional_embedding"].shape[0] - 1)
        layers: Any = _count(state, r"visual\.transformer\.resblocks\.(\d+)\.")
        vision_width = state["visual.conv1.weight"].shape[0]
        head_width = vision_width // shape.get("mvlpt.visual_heads", max(1, vision_width // 64))
        vision = CLIPVisionCfg(
            layers=layers, width=vision_width, head_width=head_width, patch_size=patch, image_size=patch * grid
        )
    else:
        grid = math.isqrt(state["visual.attnpool.positional_embedding"].shape[0] - 1)
        layers = tuple(_count(state, rf"visual\.layer{number}\.(\d+)\.") for number in (1, 2, 3, 4))
        vision = CLIPVisionCfg(
            layers=layers, width=state["visual.layer1.0.conv1.weight"].shape[0], image_size=32 * grid
        )
    return {"embed_dim": state["text_projection"].shape[1], "vision_cfg": vision, "text_cfg": text}


def _count(state: dict[str, Tensor], pattern: str) -> int:
    return len({match.group(1) for key in state if (match := re.match(pattern, key))})


def convert_weights(model: nn.Module) -> None:
    """Casts convolutions, linear layers, attention and projections to fp16, in place; norms stay fp32."""
    half: Callable[[Tensor | None], None] = lambda tensor: (  # noqa: E731
        None if tensor is None else setattr(tensor, "data", tensor.data.half())
    )
    for module in model.modules():
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Linear):
            half(module.weight)
            half(module.bias)
        elif isinstance(module, nn.MultiheadAttention):
            half(module.in_proj_weight)
            half(module.in_proj_bias)
        for name in ("text_projection", "proj"):
            if isinstance(getattr(module, name, None), nn.Parameter):
                half(getattr(module, name))
