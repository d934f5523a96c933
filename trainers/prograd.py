"""ProGrad: CoOp whose steps never work against what the zero-shot model knows."""

from __future__ import annotations

import torch

from mvlpt.engine import TRAINER_REGISTRY
from mvlpt.models import Outputs
from mvlpt.trainers.frozen_clip import TaskInput
from mvlpt.trainers.guided import GuidedTrainer


@TRAINER_REGISTRY.register()
class ProGrad(GuidedTrainer):
    """Prompt-aligned gradient (Zhu et al., ICCV 2023, arXiv 2205.14865, section 3.2).

    Two gradients of every parameter: of cross-entropy, G_d, and of the Kullback-Leibler divergence to the zero-shot
    distribution, G_g. Where they point apart (G_d . G_g < 0) the part of G_d along G_g is removed, times LAMBDA.
    Options: ``TRAINER.COOP`` for the contexts, ``TRAINER.PROGRAD``.
    """

    method = "coop"
    section = prompt_section = "COOP"
    further_sections = ("PROGRAD",)

    def build_model(self) -> None:
        """The prompt, and the zero-shot classifier."""
        super().build_model()
        self._untuned = self.class_texts().weights

    @property
    def temperature(self) -> float:
        """Of both distributions over classes."""
        return self.cfg.TRAINER.PROGRAD.T

    def untuned_logits(self, outputs: Outputs, input: TaskInput) -> torch.Tensor:
        """Those of the zero-shot classifier (B, K)."""
        return self.model.logits(outputs.image_features.to(self._untuned.dtype), self._untuned, input.task)

    def combine(self, own: torch.Tensor, guide: torch.Tensor) -> torch.Tensor:
        """The own gradient without what conflicts with the guide's."""
        return without_conflict(own, guide, self.cfg.TRAINER.PROGRAD.LAMBDA)


def without_conflict(own: torch.Tensor, guide: torch.Tensor, strength: float) -> torch.Tensor:
    """``own`` without ``strength`` times its part along ``guide``, if the two point apart; of one shape, any."""
    along = (own * guide).sum()
    if along >= 0:
        return own
    return own - strength * along / guide.square().sum() * guide
