"""The embedded model's shape, its folder in open_clip's own format, and zero-shot scoring.

Shapes: B images, K classes, E embedding.
"""

from __future__ import annotations

import json
from pathlib import Path

import open_clip
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

IMAGE_SIZE = 48
CONTEXT_LENGTH = 24
CONFIG_NAME, WEIGHTS_NAME, MERGES_NAME = "open_clip_config.json", "open_clip_model.safetensors", "bpe_merges.txt.gz"
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


def configuration(
    vocab_size: int, *, width: int, layers: int, text_width: int, text_layers: int, embed_dim: int
) -> dict:
    """open_clip configuration with the model and its preprocessing."""
    return {
        "model_cfg": {
            "embed_dim": embed_dim,
            "quick_gelu": False,
            "vision_cfg": {
                "image_size": IMAGE_SIZE, "patch_size": 8, "width": width, "layers": layers, "head_width": 32,
            },
            "text_cfg": {
                "context_length": CONTEXT_LENGTH, "vocab_size": vocab_size, "width": text_width,
                "heads": text_width // 32, "layers": text_layers,
            },
        },
        "preprocess_cfg": {
            "mean": list(MEAN), "std": list(STD), "interpolation": "bicubic", "resize_mode": "shortest",
        },
    }  # fmt: skip


def build(config: dict) -> nn.Module:
    """A fresh open_clip model of this configuration."""
    cfg = config["model_cfg"]
    return open_clip.CLIP(
        embed_dim=cfg["embed_dim"],
        vision_cfg=open_clip.CLIPVisionCfg(**cfg["vision_cfg"]),
        text_cfg=open_clip.CLIPTextCfg(**cfg["text_cfg"]),
        quick_gelu=cfg["quick_gelu"],
    )


def tokenizer(merges: Path) -> open_clip.SimpleTokenizer:
    """open_clip's own tokenizer with our merges file."""
    return open_clip.SimpleTokenizer(bpe_path=str(merges), context_length=CONTEXT_LENGTH)


def export(folder: Path, config: dict, state: dict[str, torch.Tensor]) -> None:
    """Writes configuration and fp16 weights where ``local-dir:FOLDER`` finds them; each file is replaced whole."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: value.detach().to(torch.float16).contiguous().cpu() for name, value in state.items()}
    temporary = folder / (WEIGHTS_NAME + ".part")
    save_file(weights, temporary, metadata={"format": "pt"})
    temporary.chmod(0o644)
    temporary.replace(folder / WEIGHTS_NAME)
    temporary = folder / (CONFIG_NAME + ".part")
    temporary.write_text(json.dumps(config, indent=2) + "\n")
    temporary.replace(folder / CONFIG_NAME)


def normalise(image: torch.Tensor) -> torch.Tensor:
    """Pixels in [0, 1] -> the model's input: (B, 3, H, W) float -> same."""
    return (image - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


@torch.no_grad()
def zero_shot_logits(
    model: nn.Module,
    tokenize: open_clip.SimpleTokenizer,
    image: torch.Tensor,
    class_names: list[str],
    *,
    template: str = "a photo of a {}.",
    batch: int = 512,
) -> torch.Tensor:
    """Cosine similarities of images and class sentences.

    Args:
        model: open_clip model in eval mode.
        tokenize: Its tokenizer.
        image: (B, 3, 48, 48) float in [0, 1].
        class_names: K names.
        template: Sentence with one ``{}``.
        batch: Images encoded at a time.

    Returns:
        (B, K).
    """
    text = F.normalize(model.encode_text(tokenize([template.format(name) for name in class_names])), dim=-1)
    parts = [F.normalize(model.encode_image(normalise(part)), dim=-1) @ text.T for part in image.split(batch)]
    return torch.cat(parts)
