"""Linear probe: one linear layer on frozen image features, the baseline without any prompt."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from mvlpt.engine import TRAINER_REGISTRY
from mvlpt.engine.optim import build_lr_scheduler, build_optimizer
from mvlpt.randomness import torch_stream
from mvlpt.trainers.frozen_clip import FrozenCLIPTrainer, TaskInput
from mvlpt.trainers.losses import correct, prompt_losses


@TRAINER_REGISTRY.register()
class LinearProbe(FrozenCLIPTrainer):
    """Trains weights (K, D) and biases (K,) over the classes of all tasks by the run's optimiser.

    Features have length one and logits the backbone's temperature, so that the same learning rates suit prompts and
    probes.
    """

    trains_images = False
    class_bound = True

    def build_model(self) -> None:
        """A linear layer, initialised from a random stream of its own."""
        self.backbone = self.load_backbone(self._precision())
        self.label_space = self.build_label_space()
        self.model = nn.Linear(self.backbone.embed_dim, self.num_classes)
        with torch.no_grad():
            nn.init.normal_(self.model.weight, std=0.01, generator=torch_stream("linear probe", self.cfg.SEED))
            nn.init.zeros_(self.model.bias)
        self.model.to(self.device)
        self.optim = build_optimizer(self.model, self.cfg.OPTIM)
        self.sched = build_lr_scheduler(self.optim, self.cfg.OPTIM)
        self.register_model("linear_probe", self.model, self.optim, self.sched)

    def forward_backward(self, batch: dict[str, Any]) -> dict[str, float]:
        """One step; the schedule moves on after the last batch of an epoch."""
        input, label = self.parse_batch_train(batch)
        logits = self.model_inference(input)
        loss = prompt_losses(logits, label).mean()
        self.model_backward_and_update(loss)
        self._end_step()
        return {"loss": loss.item(), "acc": 100 * correct(logits.detach(), label).float().mean().item()}

    def model_inference(self, input: TaskInput) -> torch.Tensor:
        """Scores (B, K) over the union of classes; under ``per_task`` an image's own classes alone."""
        logits = self.model(self.features_of(input) * self.backbone.logit_scale.exp())
        return self.label_space.restrict(logits, input.task)

    def class_weights(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Weights (K, D) and biases (K,) of all classes."""
        return self.model.weight, self.model.bias
