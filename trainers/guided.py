"""Trainers whose steps follow two gradients: of their own loss, and of agreement with the untuned model."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.nn import functional as F

from mvlpt.models import Outputs
from mvlpt.trainers.frozen_clip import TaskInput
from mvlpt.trainers.losses import correct, prompt_losses
from mvlpt.trainers.prompt_trainer import PromptTrainer


class GuidedTrainer(PromptTrainer):
    """Combines the gradients of two losses, parameter by parameter.

    A subclass gives the untuned model's logits and the rule; ``temperature`` is that of the distributions.
    """

    @property
    def temperature(self) -> float:
        """Of both distributions over classes."""
        raise NotImplementedError

    def untuned_logits(self, outputs: Outputs, input: TaskInput) -> torch.Tensor:
        """What the untuned model says of some images (B, K)."""
        raise NotImplementedError

    def combine(self, own: torch.Tensor, guide: torch.Tensor) -> torch.Tensor:
        """The gradient that a step follows, of the two gradients of a parameter."""
        raise NotImplementedError

    def penalty(self) -> torch.Tensor | float:
        """What the own loss has besides the mean cross-entropy; nothing by default."""
        return 0.0

    def forward_backward(self, batch: dict[str, Any]) -> dict[str, float]:
        """One step; the schedule moves on after the last batch of an epoch."""
        input, label = self.parse_batch_train(batch)
        self._tasks_in_batch = input.task
        parameters = [p for p in self.model.prompt_learner.parameters() if p.requires_grad]
        summed = [(torch.zeros_like(p), torch.zeros_like(p)) for p in parameters]
        loss, hits = 0.0, 0.0
        size = math.ceil(len(label) / self.cfg.RUN.MICRO_BATCHES)
        for start in range(0, len(label), size):
            part, truth = input[start : start + size], label[start : start + size]
            with self._precision_context():
                outputs = self._forward(part)
            own = prompt_losses(outputs.logits, truth).sum() / len(label)
            if start == 0:
                own = own + self.penalty()
            guide = self._divergence(outputs, part).sum() / len(label)
            self.detect_anomaly(own)
            own_gradients = torch.autograd.grad(own, parameters, retain_graph=True)
            guide_gradients = torch.autograd.grad(guide, parameters)
            for totals, *gradients in zip(summed, own_gradients, guide_gradients, strict=True):
                for total, gradient in zip(totals, gradients, strict=True):
                    total += gradient
            loss, hits = loss + own.detach(), hits + correct(outputs.logits.detach(), truth).sum()
        self.model_zero_grad()
        for parameter, (own, guide) in zip(parameters, summed, strict=True):
            parameter.grad = self.combine(own, guide)
        self.model_update()
        self._end_step()
        return {"loss": float(loss), "acc": 100 * float(hits) / len(label)}

    def _divergence(self, outputs: Outputs, input: TaskInput) -> torch.Tensor:
        """Cross-entropy (B,) to the untuned distribution; its gradient is that of the divergence."""
        temperature = self.temperature
        untuned = (self.untuned_logits(outputs, input) / temperature).softmax(dim=-1)
        tuned = F.log_softmax(outputs.logits.float() / temperature, dim=-1)
        return -(temperature**2) * (untuned * tuned.masked_fill(untuned == 0, 0)).sum(dim=-1)
