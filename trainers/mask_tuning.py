"""R-AMT: binary masks on the image tower's attention, trained with gradient dropout."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch

from mvlpt.engine import TRAINER_REGISTRY
from mvlpt.models import Outputs
from mvlpt.trainers.frozen_clip import TaskInput
from mvlpt.trainers.guided import GuidedTrainer

SMALL = 1e-8  # beside the size of gradients, which may be zero


@TRAINER_REGISTRY.register(name="R-AMT")
class RegularisedMaskTuning(GuidedTrainer):
    """Regularised attention mask tuning (Zheng, Wu et al., ICCV 2023, arXiv 2307.15049, section 3).

    The loss is cross-entropy + ``NORM_WEIGHT`` times the norms of the numbers behind the masks (section 3.2). Gradient
    dropout (section 3.3): an entry of its gradient is kept the more probably, the better it agrees with that of the
    divergence from the untuned model. Options under ``TRAINER.RAMT``; ``DROPOUT 0`` keeps every gradient (AMT).
    """

    method = "mask"
    section = prompt_section = "RAMT"

    @property
    def temperature(self) -> float:
        """Of both distributions over classes."""
        return self.cfg.TRAINER.RAMT.T

    def untuned_logits(self, outputs: Outputs, input: TaskInput) -> torch.Tensor:
        """Those of the untuned image tower (B, K); the text tower is untuned anyway."""
        images = self.untuned_features(input.images)
        return self.model.logits(images, self.model.text_features().float(), input.task).float()

    @torch.no_grad()
    def penalty(self) -> torch.Tensor:
        """The weighted norms of the numbers behind the masks."""
        return self.cfg.TRAINER.RAMT.NORM_WEIGHT * self.model.prompt_learner.penalty()

    def add_penalty(self, parameter: torch.Tensor, gradient: torch.Tensor) -> None:
        """The gradient of a norm is the direction of the numbers."""
        weight = self.cfg.TRAINER.RAMT.NORM_WEIGHT
        gradient.add_(parameter, alpha=weight / max(float(parameter.norm()), SMALL))

    def differentiated(self) -> AbstractContextManager[list[torch.Tensor]]:
        """The numbers of each block."""
        return self.model.prompt_learner.separate_blocks()

    def set_gradients(self, gradients: list[torch.Tensor]) -> None:
        """Joins those of the blocks."""
        learner, blocks = self.model.prompt_learner, len(gradients) // 2
        learner.in_proj.grad = torch.stack(gradients[:blocks])
        learner.out_proj.grad = torch.stack(gradients[blocks:])

    def combine(self, own: torch.Tensor, guide: torch.Tensor) -> torch.Tensor:
        """The own gradient, of which entries are dropped by chance."""
        return dropped(own, guide, self.cfg.TRAINER.RAMT.DROPOUT)


def dropped(own: torch.Tensor, guide: torch.Tensor, strength: float) -> torch.Tensor:
    """``own`` with entries multiplied by 1 - ``strength``, unless kept; of one shape, any.

    An entry is kept with probability (1 + sign(own) (own + guide) / (|own| + |guide|)) / 2.
    """
    agreement = (own + guide).mul_(own.sign()).div_(own.abs().add_(guide.abs()).add_(SMALL))
    kept = agreement.add_(1).div_(2) > torch.rand_like(own)
    return ((1 - strength) + strength * kept) * own
