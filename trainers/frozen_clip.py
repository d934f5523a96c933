"""What all trainers on a frozen CLIP share: the backbone, and image features that are computed once where they can be."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch

from mvlpt.data.features import FeatureBank, FeatureLoader, encode_views, fingerprint_items
from mvlpt.data.transforms import has_random_transform
from mvlpt.engine import TrainerX
from mvlpt.engine.resources import current_resources
from mvlpt.errors import ConfigError
from mvlpt.models import Backbone

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TaskInput:
    """What a batch gives the model.

    Attributes:
        images: pixels (B, 3, H, W), or ``None`` where features are known.
        features: image features (B, D) of length one, or ``None``.
        task: task ids (B,), int64.
    """

    images: torch.Tensor | None
    features: torch.Tensor | None
    task: torch.Tensor


class FrozenCLIPTrainer(TrainerX):
    """Loads the backbone; keeps the features of fixed views, as long as no visual prompt changes them."""

    trains_images = True  # whether the image tower carries something that is trained

    def encode_images(self, images: torch.Tensor) -> torch.Tensor:
        """Image features (B, D) of length one."""
        raise NotImplementedError

    def load_backbone(self, precision: str) -> Backbone:
        """The backbone that the configuration names, frozen, on the device.

        Raises:
            ConfigError: no backbone is named.
            BackboneError: it cannot be loaded, or does not take images of ``INPUT.SIZE``.
        """
        node = self.cfg.MODEL.BACKBONE
        if not node.NAME:
            raise ConfigError("No backbone is named; give --backbone, for instance --backbone embedded or ViT-B/16")
        resources = current_resources()
        self._features = resources.features
        backbone = resources.backbone(node.NAME, node.PRETRAINED, self.device, precision)
        backbone.require_image_size(tuple(self.cfg.INPUT.SIZE))
        for key, own in (("PIXEL_MEAN", backbone.image_mean), ("PIXEL_STD", backbone.image_std)):
            given = self.cfg.INPUT[key]
            if max(abs(a - b) for a, b in zip(given, own, strict=True)) > 1e-3:
                log.warning("INPUT.%s is %s, but %s was trained with %s", key, list(given), node.NAME, list(own))
        return backbone

    # Batches -------------------------------------------------------------------------------------------------

    def training_batches(self) -> Any:
        """The training loader, or one that gives features where every view is fixed and the image tower is frozen."""
        views = self.cfg.DATALOADER.VIEWS or (0 if has_random_transform(self.cfg) else 1)
        if self.trains_images or not views:
            return self.train_loader_x
        bank = self._bank("train_x", self.train_loader_x, views)
        return FeatureLoader(bank, self.train_loader_x) if bank is not None else self.train_loader_x

    def evaluation_batches(self, split: str) -> Any:
        """The batches of a split, with features in place of images where the image tower is frozen."""
        loader = super().evaluation_batches(split)
        if self.trains_images:
            return loader
        bank = self._bank(split, loader, 1)
        return FeatureLoader(bank, loader) if bank is not None else loader

    def _bank(self, split: str, loader: Any, views: int) -> FeatureBank | None:
        """The features of a loader's images, computed at the first call; ``None`` where they would not fit."""
        needed = 4 * self.backbone.embed_dim * views * len(loader.data_source) / 2**20
        if needed > self.cfg.DATALOADER.FEATURE_CACHE_MB:
            log.debug("The features of %s take %.0f MB; they are computed anew at each pass", split, needed)
            return None
        transform = self.dm.tfm_train if split == "train_x" else self.dm.tfm_test
        seed = self.cfg.SEED if has_random_transform(self.cfg) and split == "train_x" else 0
        key = "|".join(
            (self.backbone.fingerprint, str(self.device), repr(transform), str(views), str(seed),
             fingerprint_items(loader.data_source))
        )  # fmt: skip
        return self._features.get_or_build(
            key, lambda: encode_views(loader, self._encode, views=views, progress=self.cfg.VERBOSE and f"features {split}")
        )

    @torch.no_grad()
    def _encode(self, images: torch.Tensor) -> torch.Tensor:
        return self.encode_images(images.to(self.device)).float().cpu()

    # Inputs --------------------------------------------------------------------------------------------------

    def parse_batch_test(self, batch: dict[str, Any]) -> tuple[TaskInput, torch.Tensor]:
        """The model's input and the labels, on the device."""
        return self._input(batch), batch["label"].to(self.device, non_blocking=True)

    parse_batch_train = parse_batch_test

    def features_of(self, input: TaskInput) -> torch.Tensor:
        """Image features (B, D) of length one: the ones known, or else computed."""
        return input.features if input.features is not None else self.encode_images(input.images)

    def _input(self, batch: dict[str, Any]) -> TaskInput:
        def moved(name: str) -> torch.Tensor | None:
            return batch[name].to(self.device, non_blocking=True) if name in batch else None

        return TaskInput(images=moved("img"), features=moved("feature"), task=moved("task"))


def used_tasks(task: torch.Tensor) -> Iterable[int]:
    """The task ids that occur in a batch, ascending."""
    return task.unique().tolist()
