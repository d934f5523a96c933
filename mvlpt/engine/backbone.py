"""The frozen backbone that a configuration names."""

from __future__ import annotations

import torch

from mvlpt.config import Config
from mvlpt.engine.resources import Resources, current_resources
from mvlpt.errors import ConfigError
from mvlpt.models import Backbone
from mvlpt.models.backbone import COOP_NAMES, known_architecture


def configured_backbone(
    cfg: Config, device: torch.device, precision: str, resources: Resources | None = None
) -> Backbone:
    """Loads the backbone of ``MODEL.BACKBONE``, or returns the one that is loaded already.

    Args:
        cfg: a run's configuration.
        device: where the model computes.
        precision: as :func:`mvlpt.models.load_backbone` names it.
        resources: where loaded models are kept; by default those of :func:`~mvlpt.engine.resources.current_resources`.

    Raises:
        ConfigError: no backbone is named, or its weights are ambiguous.
        BackboneError: it cannot be loaded.
    """
    node = cfg.MODEL.BACKBONE
    if not node.NAME:
        raise ConfigError("No backbone is named; give --backbone, for instance --backbone embedded or ViT-B/16")
    weights = pretrained_weights(node.NAME, node.PRETRAINED)
    return (resources or current_resources()).backbone(node.NAME, weights, device, precision)


def pretrained_weights(name: str, pretrained: bool | str) -> str:
    """What ``MODEL.BACKBONE.PRETRAINED`` means as an argument of :func:`mvlpt.models.load_backbone`.

    ``True`` takes the weights that belong to the name (the embedded model's, a folder's, OpenAI's for CoOp's spelling).

    Raises:
        ConfigError: ``True``, but open_clip has several weights for an architecture of this name.
    """
    if isinstance(pretrained, str):
        return pretrained
    if not pretrained:
        return "random"
    if name == "embedded" or name.startswith("local-dir:") or name in COOP_NAMES:
        return "" if name not in COOP_NAMES or "/" in name else "openai"
    known_architecture(name)
    raise ConfigError(
        f"Backbone '{name}' has several weights; set MODEL.BACKBONE.PRETRAINED to open_clip's tag (for instance "
        "openai or laion2b_s34b_b88k), to a file, or to False for random weights"
    )
