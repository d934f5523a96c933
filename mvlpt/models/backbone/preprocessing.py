"""How a backbone's images are prepared, known from its name before its weights are loaded."""

from __future__ import annotations

from typing import Any, NamedTuple

from mvlpt.models.backbone.local_config import read_local_config
from mvlpt.models.backbone.names import BackboneName, resolve_name
from mvlpt.models.backbone.weights import preprocessing_of


class BackboneImages(NamedTuple):
    """The images that a backbone was trained on.

    Attributes:
        size: height and width in pixels.
        interpolation: ``bicubic``, ``bilinear`` or ``nearest``.
        mean, std: of the red, green and blue values.
    """

    size: tuple[int, int]
    interpolation: str
    mean: tuple[float, ...]
    std: tuple[float, ...]


def backbone_images(name: str, pretrained: str | None = "") -> BackboneImages:
    """What the loaded :class:`~mvlpt.models.Backbone` will say of its images.

    Args:
        name, pretrained: as for :func:`mvlpt.models.load_backbone`.

    Raises:
        BackboneError: there is no such backbone, or the configuration in its folder is damaged.
    """
    from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD

    resolved = resolve_name(name, pretrained)
    model, chosen = _described(resolved)
    size = model["vision_cfg"].get("image_size", 224)
    size = (size, size) if isinstance(size, int) else tuple(size)
    return BackboneImages(
        size,
        chosen.get("interpolation", "bicubic"),
        tuple(chosen.get("mean") or OPENAI_DATASET_MEAN),
        tuple(chosen.get("std") or OPENAI_DATASET_STD),
    )


def _described(resolved: BackboneName) -> tuple[Any, dict[str, Any]]:
    """The configuration of the architecture, and of its images."""
    if resolved.folder is not None:
        config = read_local_config(resolved.folder)
        return config["model_cfg"], config.get("preprocess_cfg", {})
    import open_clip

    return open_clip.get_model_config(resolved.arch), preprocessing_of(resolved.arch, resolved.weights) or {}
