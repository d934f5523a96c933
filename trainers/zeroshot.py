"""Zero-shot CLIP: every image is compared with its task's class names put into templates; nothing is trained."""

from __future__ import annotations

import logging
from typing import Any

import torch

from mvlpt.engine import TRAINER_REGISTRY
from mvlpt.models import zero_shot_text_features
from mvlpt.trainers.frozen_clip import FrozenCLIPTrainer, TaskInput

log = logging.getLogger(__name__)


@TRAINER_REGISTRY.register()
class ZeroshotCLIP(FrozenCLIPTrainer):
    """Classifies by text features of class names (Radford et al. 2021, section 3.1).

    ``TRAINER.ZEROSHOT.ENSEMBLE`` averages the features over all of a task's templates (the default); otherwise its
    first is used. ``TRAINER.ZEROSHOT.TEMPLATE``, a template with ``{}`` for the name, replaces every task's own.
    """

    trains_images = False
    further_sections = ("ZEROSHOT",)
    takes_pseudo_labels = True  # and no labels at all

    def build_model(self) -> None:
        """Encodes the class names; registers no model, so there is nothing to save."""
        self.backbone = self.load_backbone(self._precision())
        features = [
            zero_shot_text_features(self.backbone, task.classnames, self.templates_of(task)) for task in self.dm.tasks
        ]
        self.text_features = torch.cat(features)

    def train(self) -> None:
        """Evaluates only: there is nothing to train."""
        self.final_epoch = 0
        if not self.cfg.TEST.NO_TEST:
            self.test()

    def model_inference(self, input: TaskInput) -> torch.Tensor:
        """Scores (B, K) over the union of classes."""
        return self.backbone.logit_scale.exp() * self.features_of(input) @ self.text_features.t()

    def class_weights(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Text features (K, D) of all classes, and zeros (K,) for biases."""
        return self.text_features, self.text_features.new_zeros(len(self.text_features))

    def forward_backward(self, batch: dict[str, Any]) -> dict[str, float]:
        """Never called: nothing is trained."""
        raise NotImplementedError("ZeroshotCLIP trains nothing")
