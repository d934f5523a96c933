"""The trainer that all heads on frozen features share; ``mvlpt.models.heads`` holds the heads."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import nullcontext
from functools import partial
from typing import Any, ClassVar

import torch
from yacs.config import CfgNode

from mvlpt.data.features import FeatureLoader
from mvlpt.data.loading import is_random
from mvlpt.engine.optim import build_lr_scheduler, build_optimizer
from mvlpt.errors import ConfigError, PromptError
from mvlpt.models.heads import FeatureHead, LinearHead, Support, options_of
from mvlpt.randomness import torch_stream
from mvlpt.runtime import one_thread
from mvlpt.trainers.frozen_clip import FrozenCLIPTrainer, TaskInput
from mvlpt.trainers.losses import class_shares, correct, prompt_losses

log = logging.getLogger(__name__)

SMALL_STEP = 2**25  # multiplications of a forward pass, about a millisecond of one thread


class FeatureHeadTrainer(FrozenCLIPTrainer):
    """Fits a head to the features of one task's training images, or of many tasks'.

    A subclass names the head. Every image is encoded once; training never passes through a tower.
    """

    trains_images = False
    class_bound = True
    head: ClassVar[type[FeatureHead]]

    def check_cfg(self, cfg: CfgNode) -> None:
        """Refuses options that do not fit, and views that are drawn anew in every epoch.

        Raises:
            ConfigError: the features of the training images cannot be kept.
            PromptError: an option of the head has a wrong value.
        """
        super().check_cfg(cfg)
        options_of(self.head, cfg.TRAINER[self.head.section])
        if is_random(cfg.INPUT.TRANSFORMS) and not cfg.INPUT.NO_TRANSFORM and not cfg.DATALOADER.VIEWS:
            raise ConfigError(
                f"{cfg.TRAINER.NAME} is fitted to kept features, but INPUT.TRANSFORMS draws new views in every epoch;"
                ' set DATALOADER.VIEWS to the number of views of each image, or INPUT.TRANSFORMS to ["normalize"]'
            )

    def build_model(self) -> None:
        """The text features of the classes, and a head that is not fitted yet."""
        cfg = self.cfg
        self.backbone = self.load_backbone(self._precision())
        self.label_space = self.build_label_space()
        texts = self.class_texts()
        images = 0 if self.train_loader_x is None else len(self.train_loader_x.data_source)
        options = options_of(self.head, cfg.TRAINER[self.head.section])
        self.model = self.head(texts, self.backbone.logit_scale.exp(), images, options).to(self.device)
        self.optim, self.sched = None, None
        if self.head.trains:
            self.optim = self.model.optimizer()
            if self.optim is None:
                self.optim = build_optimizer(self.model, cfg.OPTIM, fused=True)
                self.sched = build_lr_scheduler(self.optim, cfg.OPTIM)
        self.register_model("head", self.model, self.optim, self.sched)

    # Training ------------------------------------------------------------------------------------------------

    def train(self) -> None:
        """Fits, trains where the head has something to train, and evaluates."""
        if self.head.trains:
            super().train()
            return
        self._fit()
        self.final_epoch = 1
        self.save_model(0, self.output_dir)
        self.export_model()
        if not self.cfg.TEST.NO_TEST:
            self.test()

    def before_train(self) -> None:
        """Fits the head, then takes up what an earlier part of the run had trained."""
        support = self._fit()
        self.model.set_rates(self.optim)
        if self.head.whole_batches:
            self.train_loader_x = _WholeBatch(self.train_loader_x, support)
        super().before_train()

    def _fit(self) -> Support:
        """Fits the head to all training images; returns these."""
        self.train_loader_x = self.training_batches()
        support = self.support()
        self.model.fit(support)
        if self.cfg.RUN.INIT_FROM and self.head.fits_anew:
            log.warning("%s is fitted anew to its images: nothing of --model-dir remains", self.cfg.TRAINER.NAME)
        return support

    def run_epoch(self) -> None:
        """An epoch; of small steps on one CPU thread, since several would mostly wait for each other."""
        products = self.cfg.DATALOADER.TRAIN_X.BATCH_SIZE * sum(values.numel() for values in self.model.parameters())
        with one_thread() if products < SMALL_STEP and not self.head.whole_batches else nullcontext():
            super().run_epoch()

    run_epoch.resumes_inside = True

    def support(self) -> Support:
        """The features, labels and tasks of all training images; images that cannot be read have no label.

        Raises:
            ConfigError: they do not fit into ``DATALOADER.FEATURE_CACHE_MB``.
        """
        loader = self.train_loader_x
        if not isinstance(loader, FeatureLoader):
            raise ConfigError(
                f"{self.cfg.TRAINER.NAME} keeps the features of all training images, but they do not fit into"
                f" DATALOADER.FEATURE_CACHE_MB, which is {self.cfg.DATALOADER.FEATURE_CACHE_MB}; set it higher"
            )
        return Support(*(part.to(self.device) for part in _support_of(loader, self.num_classes)))

    def forward_backward(self, batch: dict[str, Any]) -> dict[str, float]:
        """One step; the schedule moves on after the last batch of an epoch."""
        input, label = self.parse_batch_train(batch)
        if isinstance(self.model, LinearHead):
            loss, logits = self._linear_backward(input, label)
        else:
            logits = self.model_inference(input)
            loss = prompt_losses(logits, label).mean()
            self.model_zero_grad()
            self.model_backward(loss + self.model.penalty())
        self.model.before_update(self.epoch)
        self.model_update()
        self._end_step()
        return {"loss": loss.item(), "acc": 100 * correct(logits.detach(), label).sum().item() / len(label)}

    def _linear_backward(self, input: TaskInput, label: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Sets the head's gradients; returns the loss and the logits (B, K)."""
        space = self.label_space

        def restrict(logits: torch.Tensor, added: torch.Tensor) -> torch.Tensor:
            return space.restrict(logits, torch.cat([input.task, space.tasks_of(added)]))

        stream = partial(torch_stream, "feature head", self.cfg.SEED, self.epoch, self.batch_idx)
        loss, logits = self.model.backward(
            self.features_of(input), class_shares(label), stream, restrict if space.per_task else None
        )
        self.detect_anomaly(loss)
        return loss, logits

    def class_weights(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Weights (K, D) and biases (K,) of all classes, for features of length one times the temperature.

        Raises:
            PromptError: the head has none.
        """
        if not isinstance(self.model, LinearHead):
            raise PromptError(
                f"{self.cfg.TRAINER.NAME} compares images with training images, so its classes have no fixed weights"
            )
        weights = self.model.class_weights() / self.backbone.logit_scale.exp()
        return weights, weights.new_zeros(len(weights))

    # Inference -----------------------------------------------------------------------------------------------

    def model_inference(self, input: TaskInput) -> torch.Tensor:
        """Scores (B, K) over the union of classes; under ``per_task`` an image's own classes alone."""
        logits = self.model(self.features_of(input), input.task)
        return self.label_space.restrict(logits, input.task)

    def load_model_state(self, name: str, state: dict[str, torch.Tensor], origin: str) -> None:
        """Loads a head that was fitted to any number of images."""
        self.model.expect(state)
        super().load_model_state(name, state, origin)


def _support_of(loader: FeatureLoader, classes: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Features (V, N, E), shares of the classes (N, K) and tasks (N,)."""
    shares = loader.label_rows(classes)
    shares = shares / shares.sum(dim=1, keepdim=True).clamp_min(1)
    shares[sorted(loader.bank.missing)] = 0
    return loader.bank.features, shares, loader.tasks


class _WholeBatch:
    """Gives all training images at once, in their order, once an epoch.

    Args:
        loader: of their features.
        support: the same features, with labels and tasks.
    """

    def __init__(self, loader: FeatureLoader, support: Support) -> None:
        self.dataset, self.data_source, self.skipped = loader.dataset, loader.data_source, loader.skipped
        views = len(support.features)
        seen = support.shares.sum(dim=1) > 0
        label = support.shares if loader.multi_label else support.shares.argmax(dim=1)
        self._batch = {
            "feature": support.features[:, seen].flatten(0, 1),
            "label": label[seen].repeat(views, *[1] * (label.ndim - 1)),
            "task": support.task[seen].repeat(views),
        }

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[dict[str, Any]]:
        if self._start == 0:
            yield self._batch

    _start = 0

    def set_epoch(self, epoch: int, start_batch: int = 0) -> None:
        """Remembers whether the epoch's only batch is done."""
        self._start = start_batch

    def close(self) -> None:
        """Does nothing: there are no workers."""
