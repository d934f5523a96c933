"""``clip.load``, ``clip.tokenize`` and ``clip.available_models``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torchvision import transforms as T

from mvlpt.dassl.clip.model import OpenAIShape, build_model
from mvlpt.dassl.clip.tokenizer import tokenize
from mvlpt.dassl.clip.weights import OPENAI, read_state, weights_file

__all__ = ["available_models", "image_transform", "load", "tokenize"]

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


def available_models() -> list[str]:
    """OpenAI's names."""
    return list(OPENAI)


def load(
    name: str, device: str | torch.device | None = None, jit: bool = False, download_root: str | None = None
) -> Any:
    """A model and its transform of images.

    Args:
        name: one of :func:`available_models`, a name of open_clip's, or a file of weights.
        device: where the model goes, by default a GPU if there is one; on a CPU it computes in fp32.
        jit: accepted, and not used.
        download_root: a folder with the weights.

    Returns:
        The model, and a transform from a PIL image to a tensor (3, H, W).
    """
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    path = name if Path(name).is_file() else weights_file(name, download_root, for_shim=True)
    model: OpenAIShape = build_model(read_state(Path(path))).to(device)
    if str(device) == "cpu":
        model.float()
    return model, image_transform(model.visual.input_resolution)


def image_transform(n_px: int) -> T.Compose:
    """From a PIL image to the tensor (3, n_px, n_px) that the model takes."""
    steps = [
        T.Resize(n_px, T.InterpolationMode.BICUBIC),
        T.CenterCrop(n_px),
        _rgb,
        T.ToTensor(),
        T.Normalize(MEAN, STD),
    ]
    return T.Compose(steps)


def _rgb(image: Any) -> Any:
    return image.convert("RGB")
