"""``open_clip_config.json`` of a local folder, checked before a model of its sizes is built."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mvlpt.errors import BackboneError
from mvlpt.io import check_regular, read_json, short_repr

FILE = "open_clip_config.json"
REMEDY = "take the file that belongs to the weights"
LARGEST = 2**20  # bytes
LAYERS = 512
# the largest value of each size; the largest models have a tenth of these
_SIZES: Mapping[str, Mapping[str, int]] = {
    "vision_cfg": {
        "width": 2**15, "head_width": 2**15, "patch_size": 1024, "image_size": 8192, "attn_pooler_queries": 4096,
        "attn_pooler_heads": 1024, "layers": LAYERS,
    },
    "text_cfg": {
        "width": 2**15, "heads": 2**15, "context_length": 8192, "vocab_size": 2**24, "layers": LAYERS, "pad_id": 2**24,
        "eos_id": 2**24,
    },
}  # fmt: skip
_LISTS = {"image_size": 2, "layers": 4}  # how many numbers a list may have: two sides, four stages of a ResNet
_ZERO = ("pad_id", "eos_id")
_KEYWORDS = {"act_kwargs": ("approximate", "inplace"), "norm_kwargs": ("eps", "bias", "elementwise_affine")}


def read_local_config(folder: Path) -> dict[str, Any]:
    """The configuration in a folder: ``model_cfg`` with its parts ``vision_cfg`` and ``text_cfg``, ``preprocess_cfg``.

    Raises:
        BackboneError: the file cannot be read, or a size is none or absurd; the sentence names it.
    """
    path = folder / FILE
    config = read_json(path, error=BackboneError, largest=LARGEST, remedy=REMEDY)
    model = config.get("model_cfg") if isinstance(config, dict) else None
    if not isinstance(model, dict):
        _refuse(path, "model_cfg", model, "an object with the sizes of the model")
    _check_size(path, "model_cfg.embed_dim", model.get("embed_dim"), 2**15)
    for name, sizes in _SIZES.items():
        part = model.get(name)
        if not isinstance(part, dict):
            _refuse(path, name, part, "an object with the sizes of a tower")
        for key, most in sizes.items():
            if key in part:
                _check_sizes(path, f"{name}.{key}", part[key], most, _LISTS.get(key, 0), 0 if key in _ZERO else 1)
        _check_rest(path, name, part)
    _check_preprocessing(path, config.get("preprocess_cfg", {}))
    return config


def check_parameters(folder: Path, config: Mapping[str, Any], weights: Path) -> None:
    """Checks that a file of weights is long enough for a model, before memory is taken for it.

    Raises:
        BackboneError: the model has more parameters than the file has bytes.
    """
    held, wanted = check_regular(weights, error=BackboneError), least_parameters(config["model_cfg"])
    if wanted > held:
        raise BackboneError(
            f"{folder / FILE} describes a model of at least {wanted:,} parameters, but {weights.name} has only "
            f"{held:,} bytes; {REMEDY}"
        )


def least_parameters(model: Mapping[str, Any]) -> int:
    """A lower bound of the number of parameters of a model."""
    vision, text = model["vision_cfg"], model["text_cfg"]
    width, total = vision.get("width", 768), 0
    if not vision.get("timm_model_name"):
        side = vision.get("image_size", 224)
        pixels = math.prod(side) if isinstance(side, list) else side * side
        layers = vision.get("layers", 12)
        if isinstance(layers, list):
            total += sum(17 * count * (width << stage) ** 2 for stage, count in enumerate(layers))
            total += pixels // 32**2 * 32 * width
        else:
            patch = vision.get("patch_size", 16)
            total += layers * _block(width, vision) + pixels // patch**2 * width + 3 * patch**2 * width
    if not text.get("hf_model_name"):
        width = text.get("width", 512)
        total += text.get("layers", 12) * _block(width, text)
        total += (text.get("vocab_size", 49408) + text.get("context_length", 77)) * width
    return total


def _block(width: int, part: Mapping[str, Any]) -> int:
    """Weights of one block of a transformer: attention and MLP."""
    return 4 * width**2 + 2 * width * int(width * part.get("mlp_ratio", 4.0))


def _check_sizes(path: Path, name: str, value: Any, most: int, count: int, least: int = 1) -> None:
    if count and isinstance(value, list):
        if len(value) != count:
            _refuse(path, name, value, f"a number, or {count}")
        for size in value:
            _check_size(path, name, size, most, least)
    else:
        _check_size(path, name, value, most, least)


def _check_size(path: Path, name: str, value: Any, most: int, least: int = 1) -> None:
    if type(value) is not int or not least <= value <= most:
        _refuse(path, name, value, f"a whole number from {least} to {most:,}")


def _check_rest(path: Path, name: str, part: Mapping[str, Any]) -> None:
    """Everything that is not a size: no ratio that multiplies it, no keyword of torch's, no name of a site."""
    for key, value in part.items():
        where = f"{name}.{key}"
        if key == "mlp_ratio" and not (_is_number(value) and 0 < value <= 64):
            _refuse(path, where, value, "a number above 0, at most 64")
        if key in _KEYWORDS and value is not None:
            known = isinstance(value, dict) and all(word in _KEYWORDS[key] for word in value)
            if not known or not all(_is_number(one) or isinstance(one, bool | str) for one in value.values()):
                _refuse(path, where, value, f"an object with {', '.join(_KEYWORDS[key])}")
        if key == "tokenizer_kwargs" and value is not None and not isinstance(value, dict):
            _refuse(path, where, value, "an object")
        if key.endswith("_name") and value is not None and (not isinstance(value, str) or ":" in value):
            _refuse(path, where, value, "a name without an address")


def _check_preprocessing(path: Path, part: Any) -> None:
    if not isinstance(part, dict):
        _refuse(path, "preprocess_cfg", part, "an object")
    for key in ("mean", "std"):
        value = part.get(key)
        if value is not None and not (
            isinstance(value, list) and len(value) == 3 and all(_is_number(one) and abs(one) < 1e6 for one in value)
        ):
            _refuse(path, f"preprocess_cfg.{key}", value, "three numbers")
        if key == "std" and value is not None and min(value) <= 0:
            _refuse(path, f"preprocess_cfg.{key}", value, "three numbers above 0")
    for key in ("interpolation", "resize_mode", "mode"):
        if not isinstance(part.get(key, ""), str):
            _refuse(path, f"preprocess_cfg.{key}", part[key], "a name")
    if part.get("size") is not None:
        _check_sizes(path, "preprocess_cfg.size", part["size"], 8192, 2 if isinstance(part["size"], list) else 0)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e30


def _refuse(path: Path, name: str, value: Any, wanted: str) -> None:
    raise BackboneError(f"{path}: '{name}' is {short_repr(value, 60)}, but must be {wanted}; {REMEDY}")
