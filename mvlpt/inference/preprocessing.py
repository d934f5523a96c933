"""From an image to the model's input, exactly as the run evaluated its test images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from PIL import Image
from torch import Tensor
from yacs.config import CfgNode

from mvlpt.config import Config, get_cfg_default
from mvlpt.data.loading import PixelPlan, build_transform
from mvlpt.errors import ConfigError
from mvlpt.models import Backbone


@dataclass(frozen=True)
class Preprocessing:
    """Turns an RGB image into a tensor (3, H, W), float32.

    Attributes:
        size: (H, W) in pixels.
        interpolation: ``bilinear``, ``bicubic`` or ``nearest``.
        center_crop: resize the shorter side and cut the centre out, instead of squashing the whole image.
        mean, std: of the colour channels.
        steps: ``normalize``, and ``instance_norm`` where the run had it.
        transparency: ``white`` puts a transparent image on white; ``drop`` ignores its alpha channel.
    """

    size: tuple[int, int]
    interpolation: str
    center_crop: bool
    mean: tuple[float, ...]
    std: tuple[float, ...]
    steps: tuple[str, ...] = ("normalize",)
    transparency: str = "white"
    _plan: PixelPlan = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        pipeline = build_transform(self._options(), is_train=False, center_crop=self.center_crop)
        object.__setattr__(self, "_plan", PixelPlan(pipeline.transforms))

    def __call__(self, image: Image.Image) -> Tensor:
        """(3, H, W) for an RGB image."""
        return self._plan.view(self._plan.prepare(image))

    def _options(self) -> Config:
        cfg = get_cfg_default()
        cfg.INPUT.SIZE, cfg.INPUT.INTERPOLATION = tuple(self.size), self.interpolation
        cfg.INPUT.PIXEL_MEAN, cfg.INPUT.PIXEL_STD = list(self.mean), list(self.std)
        cfg.INPUT.TRANSFORMS = tuple(self.steps)
        return cfg

    @classmethod
    def of_config(cls, cfg: CfgNode, *, center_crop: bool, transparency: str) -> Preprocessing:
        """That of a run.

        Args:
            cfg: its configuration.
            center_crop: what the task's benchmark does; counts where ``INPUT.TEST_CROP`` is ``task``.
            transparency: how the task's transparent images are read.

        Raises:
            ConfigError: the run gave its model images without any transform.
        """
        node = cfg.INPUT
        if node.NO_TRANSFORM:
            raise ConfigError("The run used INPUT.NO_TRANSFORM, so how its images became tensors is not known")
        return cls(
            tuple(node.SIZE),
            node.INTERPOLATION,
            {"task": center_crop, "center": True, "squash": False}[node.TEST_CROP],
            tuple(node.PIXEL_MEAN),
            tuple(node.PIXEL_STD),
            tuple(name for name in ("normalize", "instance_norm") if name in node.TRANSFORMS),
            transparency,
        )

    @classmethod
    def of_prompt(
        cls, record: Mapping[str, Any], backbone: Backbone, *, center_crop: bool, transparency: str
    ) -> Preprocessing:
        """That of a prompt file; what the file does not say, the backbone does.

        Args:
            record: ``preprocessing`` in its header.
            backbone: the model that the images go to.
            center_crop, transparency: as for :meth:`of_config`.
        """
        return cls(
            tuple(record.get("size") or backbone.image_size),
            str(record.get("interpolation") or backbone.interpolation),
            {"center": True, "squash": False}.get(str(record.get("crop")), center_crop),
            tuple(record.get("mean") or backbone.image_mean),
            tuple(record.get("std") or backbone.image_std),
            ("normalize",) if record.get("normalize", True) else (),
            transparency,
        )
