"""ProGrad: CoOp whose steps never work against what the zero-shot model knows."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.nn import functional as F

from mvlpt.engine import TRAINER_REGISTRY
from mvlpt.trainers.losses import correct, prompt_losses
from mvlpt.trainers.prompt_trainer import PromptTrainer


@TRAINER_REGISTRY.register()
class ProGrad(PromptTrainer):
    """Prompt-aligned gradient (Zhu et al., ICCV 2023, arXiv 2205.14865, section 3.2).

    Two gradients of every parameter: of cross-entropy, G_d, and of the Kullback-Leibler divergence to the zero-shot
    distribution, G_g. Where they point apart (G_d . G_g < 0) the part of G_d along G_g is removed, times LAMBDA.
    Options: ``TRAINER.COOP`` for the contexts, ``TRAINER.PROGRAD``.
    """

    method = "coop"
    section = prompt_section = "COOP"

    def build_model(self) -> None:
        """The prompt, and the zero-shot classifier."""
        super().build_model()
        self._untuned = self.class_texts().weights

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
            guide = self._divergence(outputs, part.task).sum() / len(label)
            self.detect_anomaly(own)
            for position, pair in enumerate(
                zip(
                    torch.autograd.grad(own, parameters, retain_graph=True),
                    torch.autograd.grad(guide, parameters),
                    strict=True,
                )
            ):
                for total, gradient in zip(summed[position], pair, strict=True):
                    total += gradient
            loss, hits = loss + own.detach(), hits + correct(outputs.logits.detach(), truth).sum()
        self.model_zero_grad()
        for parameter, (own, guide) in zip(parameters, summed, strict=True):
            parameter.grad = without_conflict(own, guide, self.cfg.TRAINER.PROGRAD.LAMBDA)
        self.model_update()
        if self.batch_idx + 1 == self.num_batches:
            self.update_lr()
        return {"loss": float(loss), "acc": 100 * float(hits) / len(label)}

    def _divergence(self, outputs: Any, task: torch.Tensor) -> torch.Tensor:
        """Cross-entropy (B,) to the zero-shot distribution; its gradient is that of the divergence."""
        temperature = self.cfg.TRAINER.PROGRAD.T
        features = outputs.image_features.to(self._untuned.dtype)
        zero_shot = (self.model.logits(features, self._untuned, task) / temperature).softmax(dim=-1)
        tuned = F.log_softmax(outputs.logits.float() / temperature, dim=-1)
        return -(temperature**2) * (zero_shot * tuned.masked_fill(zero_shot == 0, 0)).sum(dim=-1)


def without_conflict(own: torch.Tensor, guide: torch.Tensor, strength: float) -> torch.Tensor:
    """``own`` without ``strength`` times its part along ``guide``, if the two point apart; of one shape, any."""
    along = (own * guide).sum()
    if along >= 0:
        return own
    return own - strength * along / guide.square().sum() * guide
