"""PromptSRC: independent prompts in both towers that regulate themselves in three ways."""

from __future__ import annotations

import math

import torch
from torch.nn import functional as F

from mvlpt.engine import TRAINER_REGISTRY
from mvlpt.models import Outputs
from mvlpt.trainers.frozen_clip import TaskInput
from mvlpt.trainers.prompt_trainer import PromptTrainer


@TRAINER_REGISTRY.register()
class PromptSRC(PromptTrainer):
    """Self-regulating prompts (Khattak et al., ICCV 2023, arXiv 2307.06948, sections 3.2.1 to 3.2.3).

    1. Agreement with the untuned model: mean absolute distance of text and of image features, and the divergence of the
       logits from the untuned model's.
    2. The prompt that is used is a Gaussian-weighted average of the prompts after each epoch.
    3. The untuned text features are means over all of a task's templates.

    Options under ``TRAINER.PROMPTSRC``.
    """

    method = "ivlp"
    section = prompt_section = "PROMPTSRC"

    def build_model(self) -> None:
        """The prompt, the untuned text features, and the average that starts empty."""
        super().build_model()
        self._untuned = F.normalize(self.class_texts().raw, dim=-1)
        self.averaged_prompt: dict[str, torch.Tensor] = {}

    def _forward(self, input: TaskInput) -> Outputs:
        """As of every prompt; while training, the untuned model sees the images, too."""
        if torch.is_grad_enabled():
            images = self.untuned_features(input.images)
            self._reference = images, self.model.logits(images, self._untuned, input.task).float().log_softmax(dim=-1)
        return super()._forward(input)

    def losses(self, outputs: Outputs, label: torch.Tensor) -> torch.Tensor:
        """Cross-entropy (B,) and the three distances to the untuned model, of the batch that was passed last."""
        options, (images, reference) = self.cfg.TRAINER.PROMPTSRC, self._reference
        texts = self._untuned if outputs.classes is None else self._untuned[outputs.classes]
        to_texts = (outputs.text_features - texts).abs().mean()
        to_images = (outputs.image_features - images).abs().mean(dim=-1)
        known = torch.isfinite(reference)
        tuned = outputs.logits.float().log_softmax(dim=-1).masked_fill(~known, 0)
        gap = reference.exp() * (reference.masked_fill(~known, 0) - tuned)
        divergence = gap.sum(dim=-1) / known.sum(dim=-1)
        extra = options.TEXT_LOSS_WEIGHT * to_texts + options.IMAGE_LOSS_WEIGHT * to_images + divergence
        return super().losses(outputs, label) + extra

    def after_epoch(self) -> None:
        """Adds the epoch's prompt to the average, which takes the prompt's place after the last epoch (of a round)."""
        epochs = self.cfg.OPTIM.MAX_EPOCH
        epoch = self.epoch % epochs
        weight = epoch_weight(epoch, epochs, self.cfg.TRAINER.PROMPTSRC)
        if epoch == 0:
            self.averaged_prompt.clear()
        for name, value in self.model.prompt_learner.state_dict().items():
            before = self.averaged_prompt.get(name)
            added = weight * value.detach().double()
            self.averaged_prompt[name] = added if before is None else before + added
        if epoch + 1 == epochs:
            self.load_model_state("prompt_learner", self.averaged_prompt, "the average over epochs")
        super().after_epoch()


def epoch_weight(epoch: int, epochs: int, options: object) -> float:
    """The share of an epoch (from 0) in the average of prompts: a normal density around ``GPA_MEAN``, normalised."""
    density = [math.exp(-0.5 * ((e + 1 - options.GPA_MEAN) / options.GPA_STD) ** 2) for e in range(epochs)]
    total = sum(density)
    if not total > 0:  # the mean lies far beyond the last epoch
        return float(epoch + 1 == epochs)
    return density[epoch] / total
