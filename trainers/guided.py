"""Trainers whose steps follow two gradients: of their own loss, and of agreement with the untuned model."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
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

    def differentiated(self) -> AbstractContextManager[list[torch.Tensor]]:
        """What gradients are taken of inside this context; by default the trained parameters."""
        return nullcontext(self._trained())

    def set_gradients(self, gradients: list[torch.Tensor]) -> None:
        """Gives the trained parameters the gradients of what :meth:`differentiated` lists."""
        for parameter, gradient in zip(self._trained(), gradients, strict=True):
            parameter.grad = gradient

    def _trained(self) -> list[torch.Tensor]:
        return [p for p in self.model.prompt_learner.parameters() if p.requires_grad]

    def penalty(self) -> torch.Tensor | float:
        """What the own loss has besides the mean cross-entropy, without a gradient; nothing by default."""
        return 0.0

    def add_penalty(self, parameter: torch.Tensor, gradient: torch.Tensor) -> None:
        """Adds the penalty's gradient for a parameter to that of the cross-entropy, in place."""

    def forward_backward(self, batch: dict[str, Any]) -> dict[str, float]:
        """One step; the schedule moves on after the last batch of an epoch."""
        input, label = self.parse_batch_train(batch)
        self._tasks_in_batch = input.task
        with self.differentiated() as parts:
            loss, hits, pairs = self._two_gradients(input, label, parts)
        gradients = []
        for part, pair in zip(parts, pairs, strict=True):
            self.add_penalty(part.detach(), pair[0])
            gradients.append(self.combine(*pair))
            pair.clear()  # they may be as large as the model
        if self.scaler is not None:  # which divides by this before it steps
            _multiply(gradients, self.scaler.get_scale())
        self.model_zero_grad()
        self.set_gradients(gradients)
        self.model_update()
        self._end_step()
        return {"loss": loss, "acc": 100 * hits / len(label)}

    def _two_gradients(
        self, input: TaskInput, label: torch.Tensor, parts: list[torch.Tensor]
    ) -> tuple[float, float, list[list[torch.Tensor]]]:
        """Loss, number of hits, and of each part the gradients of the cross-entropy and of the divergence."""
        loss, hits, summed = self.penalty(), 0.0, []
        size = math.ceil(len(label) / self.cfg.RUN.MICRO_BATCHES)
        for start in range(0, len(label), size):
            part, truth = input[start : start + size], label[start : start + size]
            with self._precision_context():
                outputs = self._forward(part)
            own = prompt_losses(outputs.logits, truth).sum() / len(label)
            guide = self._divergence(outputs, part).sum() / len(label)
            self.detect_anomaly(own)
            scaled = [own, guide] if self.scaler is None else self.scaler.scale([own, guide])
            own_gradients = torch.autograd.grad(scaled[0], parts, retain_graph=True)
            pairs = [list(pair) for pair in zip(own_gradients, torch.autograd.grad(scaled[1], parts), strict=True)]
            del own_gradients
            summed = [list(map(torch.add, *both)) for both in zip(summed, pairs, strict=True)] if summed else pairs
            loss, hits = loss + own.detach(), hits + correct(outputs.logits.detach(), truth).sum()
        if self.scaler is not None:
            for pair in summed:
                _multiply(pair, 1 / self.scaler.get_scale())
        return float(loss), float(hits), summed

    def _divergence(self, outputs: Outputs, input: TaskInput) -> torch.Tensor:
        """Cross-entropy (B,) to the untuned distribution; its gradient is that of the divergence."""
        temperature = self.temperature
        untuned = (self.untuned_logits(outputs, input) / temperature).softmax(dim=-1)
        tuned = F.log_softmax(outputs.logits.float() / temperature, dim=-1)
        return -(temperature**2) * (untuned * tuned.masked_fill(untuned == 0, 0)).sum(dim=-1)


def _multiply(gradients: list[torch.Tensor], factor: float) -> None:
    for gradient in gradients:
        gradient.mul_(factor)
