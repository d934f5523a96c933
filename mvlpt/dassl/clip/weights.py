"""Weights for code written for OpenAI's ``clip``: its ``_download`` is answered from files on this machine."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import torch
from torch import Tensor

from mvlpt.engine import current_config, pretrained_weights
from mvlpt.errors import BackboneError
from mvlpt.io import atomic_write, is_script_archive, read_script_archive, read_tensors
from mvlpt.models import load_backbone
from mvlpt.randomness import derive_seed

RANDOM = "random"
CACHE = Path("~/.cache/mvlpt/clip")
OPENAI_CACHE = Path("~/.cache/clip")
OPENAI = ("RN50", "RN101", "RN50x4", "RN50x16", "RN50x64", "ViT-B/32", "ViT-B/16", "ViT-L/14", "ViT-L/14@336px")
# Shape of the random model: that of ViT-B/16, with as many patches as the run's images have.
WIDTH, TEXT_WIDTH, EMBED, LAYERS, PATCH, CONTEXT, VOCABULARY = 768, 512, 512, 12, 16, 77, 49408


class ModelTable(dict):
    """OpenAI's table of model names and addresses; a name that it lacks stands for itself."""

    def __init__(self, known: dict[str, str] | None = None) -> None:
        super().__init__(known or {name: name for name in OPENAI})

    def __missing__(self, name: str) -> str:
        return name


def supply_weights(module: ModuleType) -> None:
    """Lets a repository's own ``clip.clip`` find weights as the shim does, without a download."""
    if isinstance(getattr(module, "_MODELS", None), dict) and callable(getattr(module, "_download", None)):
        module._MODELS = ModelTable(module._MODELS)
        module._download = weights_file


def weights_file(url: str, root: str | None = None, *, for_shim: bool = False) -> str:
    """The file with the weights of a model, in OpenAI's layout: what ``clip._download`` returns.

    ``MODEL.BACKBONE.PRETRAINED`` of the run that is being built decides: ``True`` takes OpenAI's file from
    ``~/.cache/clip``, a path that file, a tag open_clip's weights, ``False`` random ones; so does the name ``random``.

    Args:
        url: OpenAI's address of the model, or a name of the table.
        root: a folder to look in first.
        for_shim: the file is for :mod:`mvlpt.dassl.clip.model`, which takes models of any vocabulary and activation.

    Raises:
        BackboneError: the weights are not here; the message says what to place where.
    """
    cfg = current_config()
    name = _model_name(url)
    pretrained = cfg.MODEL.BACKBONE.PRETRAINED if cfg is not None else True
    if name == RANDOM or pretrained is False or pretrained == RANDOM:
        return str(_random_file(_image_size(cfg)))
    if isinstance(pretrained, str) and Path(pretrained).expanduser().is_file():
        return str(_openai_file(Path(pretrained).expanduser(), name, for_shim))
    file = Path(url).name if "/" in url and "://" in url else name.replace("/", "-").replace("@", "-") + ".pt"
    for folder in (root, OPENAI_CACHE):
        if pretrained is True and folder and (Path(folder).expanduser() / file).is_file():
            return str(Path(folder).expanduser() / file)
    tag = pretrained_weights(name, pretrained)
    return str(_converted(name, tag, name, for_shim))


def _model_name(url: str) -> str:
    """``ViT-B/16`` from OpenAI's address, which ends in ``ViT-B-16.pt``; other names as they are."""
    if "://" not in url:
        return url
    stem = Path(urlsplit(url).path).stem
    return next((name for name in OPENAI if name.replace("/", "-").replace("@", "-") == stem), stem)


def _openai_file(path: Path, name: str, for_shim: bool) -> Path:
    """``path`` where it can be read as OpenAI's code reads it, else a converted copy."""
    if is_script_archive(path):
        return path
    if path.suffix != ".safetensors":
        state = read_state(path)
        if "visual.conv1.weight" in state and "text_projection" in state:
            return path
    return _converted(name, str(path), f"{name}-{path.resolve()}-{path.stat().st_mtime_ns}", for_shim)


def read_state(path: Path) -> dict[str, Any]:
    """The state dict in a file of weights.

    Raises:
        BackboneError: the file cannot be read, or holds something else.
    """
    state = read_script_archive(path) if is_script_archive(path) else read_tensors(path, error=BackboneError)
    if not isinstance(state, dict) or not all(isinstance(value, Tensor | int) for value in state.values()):
        raise BackboneError(f"{path} holds no state dict")
    return {str(key): value for key, value in state.items()}


def _converted(name: str, weights: str, label: str, for_shim: bool) -> Path:
    target = CACHE.expanduser() / f"{derive_seed(label, weights, for_shim):016x}.pt"
    if not target.is_file():
        backbone = load_backbone(name, weights)
        if backbone.text is not backbone.model:
            raise BackboneError(
                f"Backbone '{name}' is not of the shape of OpenAI's CLIP, which the plugin is written for"
            )
        if not for_shim and len(backbone.tokenizer.encoder) != VOCABULARY:
            raise BackboneError(
                f"Backbone '{name}' has a vocabulary of its own, and the plugin's clip reads OpenAI's; take a model "
                "with OpenAI's vocabulary, or --backbone random for trying things out"
            )
        _save({**backbone.model.state_dict(), **(_shape_of(backbone.model) if for_shim else {})}, target)
    return target


def _shape_of(model: Any) -> dict[str, Tensor]:
    """What OpenAI's layout does not say, since all of OpenAI's models agree on it."""
    blocks = getattr(getattr(model.visual, "transformer", None), "resblocks", None)
    text_block = model.transformer.resblocks[0]
    shape = {
        "mvlpt.quick_gelu": torch.tensor("QuickGELU" in repr(text_block.mlp)),
        "mvlpt.text_heads": torch.tensor(text_block.attn.num_heads),
    }
    return shape | ({"mvlpt.visual_heads": torch.tensor(blocks[0].attn.num_heads)} if blocks is not None else {})


def _image_size(cfg: Any) -> int:
    size = cfg.INPUT.SIZE[0] if cfg is not None else 224
    if size % PATCH:
        raise BackboneError(
            f"--backbone random takes images of a multiple of {PATCH} pixels, not {size}; set INPUT.SIZE"
        )
    return size


def _random_file(size: int) -> Path:
    """Random weights in OpenAI's layout, the same for every run of one image size; made when first asked for."""
    target = CACHE.expanduser() / f"random-{size}.pt"
    if not target.is_file():
        _save(random_state(size), target)
    return target


def random_state(size: int) -> dict[str, Tensor]:
    """A state dict of ViT-B/16's shape for images of ``size`` pixels, drawn from a stream of its own."""
    stream = torch.Generator().manual_seed(derive_seed("random clip", size) % 2**63)

    def draw(*shape: int, scale: float | None = None) -> Tensor:
        return torch.randn(shape, generator=stream) * (shape[-1] ** -0.5 if scale is None else scale)

    def tower(prefix: str, width: int) -> dict[str, Tensor]:
        state = {}
        for layer in range(LAYERS):
            block = f"{prefix}transformer.resblocks.{layer}."
            state |= norm(block + "ln_1", width) | norm(block + "ln_2", width)
            for part, rows, columns in (
                ("attn.in_proj_", 3 * width, width),
                ("attn.out_proj.", width, width),
                ("mlp.c_fc.", 4 * width, width),
                ("mlp.c_proj.", width, 4 * width),
            ):
                state[f"{block}{part}weight"] = draw(rows, columns) * 0.5
                state[f"{block}{part}bias"] = torch.zeros(rows)
        return state

    def norm(name: str, width: int) -> dict[str, Tensor]:
        return {f"{name}.weight": torch.ones(width), f"{name}.bias": torch.zeros(width)}

    patches = (size // PATCH) ** 2
    return {
        "positional_embedding": draw(CONTEXT, TEXT_WIDTH, scale=0.01),
        "text_projection": draw(TEXT_WIDTH, EMBED),
        "logit_scale": torch.tensor(2.6593),
        "visual.class_embedding": draw(WIDTH),
        "visual.positional_embedding": draw(patches + 1, WIDTH, scale=0.1),
        "visual.proj": draw(WIDTH, EMBED),
        "visual.conv1.weight": draw(WIDTH, 3, PATCH, PATCH, scale=0.04),
        **norm("visual.ln_pre", WIDTH),
        **tower("visual.", WIDTH),
        **norm("visual.ln_post", WIDTH),
        **tower("", TEXT_WIDTH),
        "token_embedding.weight": draw(VOCABULARY, TEXT_WIDTH, scale=0.02),
        **norm("ln_final", TEXT_WIDTH),
    }


def _save(state: dict[str, Tensor], target: Path) -> None:
    os.makedirs(target.parent, exist_ok=True)
    halved = {key: value.to(torch.float16) if value.is_floating_point() else value for key, value in state.items()}
    halved = {key: value for key, value in halved.items() if key != "attn_mask"}
    with atomic_write(target, "wb") as handle:
        torch.save(halved, handle)
