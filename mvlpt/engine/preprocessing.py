"""Preprocessing that follows the backbone, where neither a file nor an option says how images are prepared."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from mvlpt.config import Config
from mvlpt.data import INTERPOLATION_MODES
from mvlpt.engine.backbone import pretrained_weights
from mvlpt.engine.registries import TRAINER_REGISTRY
from mvlpt.errors import MvlptError
from mvlpt.models.backbone import backbone_images

FOLLOWING = ("INPUT.SIZE", "INPUT.INTERPOLATION", "INPUT.PIXEL_MEAN", "INPUT.PIXEL_STD", "INPUT.TRANSFORMS")


def follow_backbone(
    cfg: Config, in_files: Collection[str], given: Collection[str], recorded: Mapping[str, Any] | None = None
) -> None:
    """Sets size, interpolation, mean, standard deviation and ``normalize`` as the backbone was trained.

    A file that sets any of them describes its preprocessing itself, and nothing is changed. Trainers that are not built
    on a frozen CLIP keep the defaults, which are Dassl's.

    Args:
        cfg: an unfrozen configuration, with everything else resolved.
        in_files: the keys that configuration files set.
        given: the keys that options set.
        recorded: the options of the run that is in the output folder already; its preprocessing stays what it was.
    """
    name = cfg.TRAINER.NAME
    trainer = TRAINER_REGISTRY.get(name) if name and name in TRAINER_REGISTRY.registered_names() else None
    if not getattr(trainer, "follows_backbone", False) or set(FOLLOWING) & set(in_files):
        return
    chosen = {key: recorded[key] for key in FOLLOWING if key in recorded} if recorded else _of_backbone(cfg)
    cfg.merge_from_list([word for key, value in chosen.items() if key not in given for word in (key, value)])


def _of_backbone(cfg: Config) -> dict[str, Any]:
    """The options by key; empty where the backbone is not known, which is reported when it is loaded."""
    node = cfg.MODEL.BACKBONE
    try:
        images = backbone_images(node.NAME, pretrained_weights(node.NAME, node.PRETRAINED))
    except MvlptError:
        return {}
    interpolation = images.interpolation if images.interpolation in INTERPOLATION_MODES else "bicubic"
    return dict(
        zip(FOLLOWING, (images.size, interpolation, list(images.mean), list(images.std), ("normalize",)), strict=True)
    )
