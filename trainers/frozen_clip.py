"""What all trainers on a frozen CLIP share: the backbone, and image features computed once where they can be."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional as F

from mvlpt.data import EpochLoader
from mvlpt.data.features import FeatureCache, FeatureLoader, build_feature_loader
from mvlpt.data.loading import is_random
from mvlpt.engine import TrainerX, configured_backbone, current_resources
from mvlpt.errors import ConfigError
from mvlpt.models import Backbone, LabelSpace
from mvlpt.models.heads import ClassTexts, class_texts
from mvlpt.runtime import counting

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TaskInput:
    """The model's input for a batch.

    Attributes:
        images: pixels (B, 3, H, W), or ``None`` where features are known.
        features: image features (B, D) of length one, or ``None``.
        task: task ids (B,), int64.
    """

    images: torch.Tensor | None
    features: torch.Tensor | None
    task: torch.Tensor

    def __getitem__(self, rows: slice) -> TaskInput:
        """Some of the images."""
        images, features = (None if part is None else part[rows] for part in (self.images, self.features))
        return TaskInput(images, features, self.task[rows])


class FrozenCLIPTrainer(TrainerX):
    """Loads the backbone; caches the features of fixed views, unless a visual prompt changes them."""

    follows_backbone = True  # preprocessing is the backbone's, unless a file or an option says otherwise
    trains_images = True  # whether image features depend on something that is trained

    def encode_images(self, images: torch.Tensor) -> torch.Tensor:
        """Image features (B, D) of length one; by default those of the frozen image tower."""
        return self.untuned_features(images)

    @torch.no_grad()
    def untuned_features(self, images: torch.Tensor) -> torch.Tensor:
        """Image features (B, D) of length one, fp32, of the frozen image tower without any prompt."""
        return F.normalize(self.backbone.encode_image(images).float(), dim=-1)

    def load_backbone(self, precision: str) -> Backbone:
        """The backbone that the configuration names, frozen, on the device.

        Raises:
            ConfigError: no backbone is named.
            BackboneError: it cannot be loaded, or does not take images of ``INPUT.SIZE``.
        """
        resources = current_resources()
        self._features = resources.features
        backbone = configured_backbone(self.cfg, self.device, precision, resources)
        backbone.require_image_size(tuple(self.cfg.INPUT.SIZE))
        for key, own in (("PIXEL_MEAN", backbone.image_mean), ("PIXEL_STD", backbone.image_std)):
            given = self.cfg.INPUT[key]
            if max(abs(a - b) for a, b in zip(given, own, strict=True)) > 1e-3:
                log.warning("INPUT.%s is %s, but %s was trained with %s", key, list(given), backbone.name, list(own))
        return backbone

    def before_train(self) -> None:
        """Replaces images by their features where that changes no result."""
        super().before_train()
        self.train_loader_x = self.training_batches()

    def keep_features(self) -> dict[str, int]:
        """Encodes every split whose features a run reads, into the caches; returns the images of each.

        Raises:
            ConfigError: the image tower carries a prompt, or every view is drawn anew, so that nothing can be kept.
        """
        name = self.cfg.TRAINER.NAME
        if self.trains_images:
            raise ConfigError(f"{name} trains a prompt in the image tower, so image features cannot be kept for it")
        loaders = {"train": self.training_batches() if self.train_loader_x is not None else None}
        loaders |= {split: self.evaluation_batches(split) for split in ("val", "test")}
        kept = {split: len(loader.bank) for split, loader in loaders.items() if isinstance(loader, FeatureLoader)}
        if not kept:
            raise ConfigError(
                f"{name} can keep no features: DATALOADER.FEATURE_CACHE_MB is"
                f" {self.cfg.DATALOADER.FEATURE_CACHE_MB}, too small for one split"
            )
        return kept

    def build_label_space(self) -> LabelSpace:
        """The classes of all tasks: in one softmax, or each task's apart under ``DATASET.MULTITASK_LABEL_PERTASK``."""
        kind = "per_task" if self.cfg.DATASET.MULTITASK_LABEL_PERTASK else "joint"
        return LabelSpace(kind, tuple((task.start, task.stop) for task in self.dm.tasks), self.num_classes)

    # Batches -------------------------------------------------------------------------------------------------

    def training_batches(self) -> Any:
        """The training loader, or one that gives features where the image tower is frozen and every view is fixed."""
        return self._as_features("train", self.train_loader_x) if self._fixed_views() else self.train_loader_x

    def evaluation_batches(self, split: str) -> Any:
        """The batches of a split, with features instead of images where the image tower is frozen."""
        return self._as_features(split, super().evaluation_batches(split))

    def _as_features(self, split: str, loader: Any) -> Any:
        """``loader``, or one that reads features from the cache, if they fit into it."""
        return loader if self.trains_images else self._kept(split, loader, self._features)

    def _kept(self, split: str, loader: Any, cache: FeatureCache, note: str = "") -> Any:
        """``loader``, or one that reads features from ``cache``.

        Args:
            split: of the images.
            loader: of the images.
            cache: where their features are kept.
            note: what changes these features besides the backbone; they are then not kept on disk.
        """
        if not isinstance(loader, EpochLoader):
            return loader
        views = self.cfg.DATALOADER.VIEWS if split == "train" and self._random_views() else 1
        needed = 4 * self.backbone.embed_dim * views * len(loader.data_source) / 2**20
        if needed > self.cfg.DATALOADER.FEATURE_CACHE_MB:
            log.debug("The features of %s take %.0f MB; they are computed in every pass", split, needed)
            return loader
        with counting(f"image features, {split}", shown=self.cfg.VERBOSE) as progress:
            return build_feature_loader(
                loader,
                self._encode,
                cache=cache,
                key=f"{self.backbone.fingerprint}|{self.device}|{self._precision()}{note}",
                transform=self.dm.tfm_train if split == "train" else self.dm.tfm_test,
                random_views=split == "train" and self._random_views(),
                batch_size=self.cfg.DATALOADER.TEST.BATCH_SIZE,
                num_workers=self.cfg.DATALOADER.NUM_WORKERS,
                folder="" if note else self.cfg.DATALOADER.FEATURE_DIR,
                width=self.backbone.embed_dim,
                progress=progress,
            )

    def _fixed_views(self) -> bool:
        """Whether every epoch sees the same views of the training images."""
        return bool(self.cfg.DATALOADER.VIEWS) or not self._random_views()

    def _random_views(self) -> bool:
        return is_random(self.cfg.INPUT.TRANSFORMS) and not self.cfg.INPUT.NO_TRANSFORM

    def _precision(self) -> str:
        """The precision of the backbone, as :func:`mvlpt.models.load_backbone` names it, or ``amp``."""
        return "fp32"

    def _encode(self, images: torch.Tensor) -> torch.Tensor:
        return self.encode_images(images.to(self.device)).float()

    def _end_step(self) -> None:
        """Moves the schedule on after the last batch of an epoch."""
        if self.batch_idx + 1 == self.num_batches:
            self.update_lr()

    # Inputs --------------------------------------------------------------------------------------------------

    def parse_batch_test(self, batch: dict[str, Any]) -> tuple[TaskInput, torch.Tensor]:
        """The model's input and the labels, on the device."""
        return self._input(batch), batch["label"].to(self.device, non_blocking=True)

    parse_batch_train = parse_batch_test

    def templates_of(self, task: Any) -> list[str]:
        """The templates of a task's class names, as ``TRAINER.ZEROSHOT`` chooses them."""
        options = self.cfg.TRAINER.ZEROSHOT
        templates = [options.TEMPLATE] if options.TEMPLATE else list(task.templates)
        return templates if options.ENSEMBLE else templates[:1]

    def class_texts(self) -> ClassTexts:
        """What the text tower says about the classes of all tasks, each in its own task's templates."""
        return class_texts(self.backbone, [(task.classnames, self.templates_of(task)) for task in self.dm.tasks])

    def features_of(self, input: TaskInput) -> torch.Tensor:
        """Image features (B, D) of length one: those of the batch, or else computed from its images."""
        return input.features if input.features is not None else self.encode_images(input.images)

    def _input(self, batch: dict[str, Any]) -> TaskInput:
        def moved(name: str) -> torch.Tensor | None:
            return batch[name].to(self.device, non_blocking=True) if name in batch else None

        return TaskInput(images=moved("img"), features=moved("feature"), task=moved("task"))


def used_tasks(task: torch.Tensor) -> Iterable[int]:
    """The task ids that occur in a batch, ascending."""
    return task.unique().tolist()
