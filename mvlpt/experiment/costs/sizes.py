"""Sizes of architectures and tasks, found without weights and, for known tasks, without data.

Shapes: L layers, D width.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from yacs.config import CfgNode

from mvlpt.data import SplitSizes
from mvlpt.data.sources import task_metadata
from mvlpt.errors import UnknownNameError
from mvlpt.models.backbone import read_local_config, resolve_name

RESNET_FLOPS = 4.1e9 * 2 / 16  # of a bottleneck block at width 64 and 224 x 224 pixels; ResNet-50 has 16 of them


@dataclass(frozen=True)
class Tower:
    """One transformer, or a ResNet described as one.

    Attributes:
        layers: L.
        width: D.
        tokens: of one input, without prompts; 0 for a ResNet.
        conv_flops: of one image through the ResNet, else 0.
    """

    layers: int
    width: int
    tokens: int = 0
    conv_flops: float = 0.0

    def flops(self, tokens: float) -> float:
        """Multiply-adds count twice: projections and MLP take 24 D^2 a token and layer, attention 4 n D."""
        return self.conv_flops or self.layers * tokens * (24 * self.width**2 + 4 * tokens * self.width)

    @property
    def parameters(self) -> float:
        """12 D^2 a layer; the embeddings are left out."""
        return 25e6 * self.width / 64 if self.conv_flops else 12 * self.layers * self.width**2


@dataclass(frozen=True)
class Architecture:
    """Both towers of a CLIP."""

    image: Tower
    text: Tower

    @property
    def parameters(self) -> float:
        """Of both towers."""
        return self.image.parameters + self.text.parameters


@dataclass(frozen=True)
class TaskSize:
    """What determines the cost of a task.

    Attributes:
        classes: number of classes.
        images: images in each split.
        templates: number of prompt templates.
        name: the name under which its results are recorded.
    """

    classes: int
    images: SplitSizes
    templates: int = 1
    name: str = field(default="", compare=False)


def is_foreign(name: str) -> bool:
    """Whether a backbone is one that only trainers of plugins build: a network of images, or random weights."""
    from mvlpt.engine import BACKBONE_REGISTRY

    return name == "random" or name in BACKBONE_REGISTRY


@lru_cache(maxsize=64)
def architecture(name: str, image_size: int) -> Architecture:
    """Sizes of a backbone by its name, from open_clip's table or a local folder's.

    Args:
        name: as ``MODEL.BACKBONE.NAME``; one that only plugins build counts as ViT-B/16.
        image_size: side in pixels.

    Raises:
        BackboneError: nothing of that name.
    """
    resolved = resolve_name("ViT-B/16" if is_foreign(name) else name, "random")
    if resolved.folder is not None:
        config = read_local_config(resolved.folder)["model_cfg"]
    else:
        import open_clip

        config = open_clip.get_model_config(resolved.arch)
    return Architecture(_image_tower(config["vision_cfg"], image_size), _text_tower(config.get("text_cfg", {})))


def _image_tower(vision: Mapping[str, Any], image_size: int) -> Tower:
    layers, width = vision.get("layers", 12), vision.get("width", 768)
    if isinstance(layers, (list, tuple)):
        flops = RESNET_FLOPS * sum(layers) * (width / 64) ** 2 * (image_size / 224) ** 2
        return Tower(sum(layers), width, conv_flops=flops)
    return Tower(layers, width, tokens=1 + (image_size // vision.get("patch_size", 16)) ** 2)


def _text_tower(text: Mapping[str, Any]) -> Tower:
    return Tower(text.get("layers", 12), text.get("width", 512), tokens=text.get("context_length", 77))


def task_size(name: str, cfg: CfgNode) -> TaskSize:
    """The size of a task: from the table of known tasks, or else from its files.

    Args:
        name: the task.
        cfg: a run's configuration, which says where data lie.

    Raises:
        MvlptError: the task is not known and cannot be read.
    """
    try:
        metadata = task_metadata(name)
    except UnknownNameError:
        return _read_size(name, cfg.DATASET.ROOT, cfg.DATASET.SOURCE)
    return TaskSize(metadata.num_classes, metadata.sizes, metadata.num_templates, metadata.name)


@lru_cache(maxsize=256)
def _read_size(name: str, root: str, source: str) -> TaskSize:
    from mvlpt.config import get_cfg_default
    from mvlpt.dassl import load_installed_plugins
    from mvlpt.data import DATASET_REGISTRY, TaskInfo, build_dataset
    from mvlpt.engine import load_shipped

    load_shipped()
    load_installed_plugins()
    DATASET_REGISTRY.get(name)  # its error names the nearest task
    cfg = get_cfg_default()
    cfg.merge_from_list(["DATASET.ROOT", root, "DATASET.SOURCE", source, "DATASET.NAME", name, "SEED", 0])
    cfg.freeze()
    dataset = build_dataset(cfg)
    templates = len(getattr(dataset, "templates", ())) or 1
    return TaskSize(dataset.num_classes, SplitSizes.of(dataset), templates, TaskInfo.of(dataset).name)
