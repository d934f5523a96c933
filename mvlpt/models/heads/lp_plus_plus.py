"""LP++: a linear probe whose class weights are blended with the text features, with step sizes that are computed.

Huang et al., LP++: A Surprisingly Strong Linear Probe for Few-Shot CLIP (CVPR 2024, arXiv 2404.02285), section 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mvlpt.errors import PromptError
from mvlpt.models.heads.base import ClassTexts, Support
from mvlpt.models.heads.linear import LinearHead, Pullback


@dataclass(frozen=True)
class LPPlusPlusOptions:
    """Attributes:
    alpha_scale: factor of the initial blending weights; 250 in the authors' code.
    alpha_every: steps between two updates of the blending weights; 10 there.
    """

    alpha_scale: float = 250.0
    alpha_every: int = 10

    def __post_init__(self) -> None:
        if self.alpha_every < 1:
            raise PromptError(f"TRAINER.LPPLUSPLUS.ALPHA_EVERY must be at least 1, not {self.alpha_every}")


class LPPlusPlusHead(LinearHead):
    """Logits f . (w_k + alpha_k t_k), without temperature; both parts trained on all images at once.

    - w_k starts at the sum of the class's features; alpha_k at a multiple of the mean cosine of images and their text.
    - w moves by gradient descent with momentum 0.9 at the rate 4 N / (largest eigenvalue of F'F), alpha by plain
      descent at N / (4 max_k sum_i (f_i . t_k)^2): multiples of the inverse Lipschitz constants of section 3.2.
    """

    options, section, whole_batches, fits_anew = LPPlusPlusOptions, "LPPLUSPLUS", True, True

    def __init__(self, texts: ClassTexts, scale: Tensor, images: int, options: Any) -> None:
        super().__init__(texts, scale, images, options)
        self.weight = nn.Parameter(torch.zeros_like(texts.weights))
        self.alpha = nn.Parameter(torch.zeros(len(texts.weights)))
        self._rates = (1.0, 1.0)

    @torch.no_grad()
    def fit(self, support: Support) -> None:
        """Initial values and step sizes."""
        features = support.features.flatten(0, 1)
        cosines = features @ self.text_weights.t()
        shares = support.shares.repeat(len(support.features), 1)
        count = shares.sum(dim=0)
        seen = count > 0
        own = ((cosines * shares).sum(dim=0) / count.clamp_min(torch.finfo(count.dtype).tiny))[seen]
        self.weight.copy_(support.class_sums())
        self.alpha.fill_(float(self.chosen.alpha_scale * own.mean()))
        largest = torch.linalg.eigvalsh((features.t() @ features).double())[-1]
        steepest = cosines.square().sum(dim=0).max()
        self._rates = (float(4 * len(features) / largest), float(len(features) / (4 * steepest)))

    def class_weights(self) -> Tensor:
        """w + alpha t."""
        return self.weight + self.alpha[:, None] * self.text_weights

    def linearise(self) -> tuple[Tensor, Pullback]:
        """The gradient of w is that of the class weights; that of alpha its share along the text features."""

        def set_gradients(gradient: Tensor) -> None:
            self.weight.grad = gradient
            self.alpha.grad = (gradient * self.text_weights).sum(dim=-1)

        return self.class_weights(), set_gradients

    def optimizer(self) -> torch.optim.Optimizer:
        """Gradient descent, with momentum for the weights only."""
        groups = [{"params": [self.weight], "momentum": 0.9}, {"params": [self.alpha], "momentum": 0.0}]
        return torch.optim.SGD(groups, lr=1.0)

    def set_rates(self, optimizer: torch.optim.Optimizer) -> None:
        """The step sizes that follow from the images."""
        for group, rate in zip(optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate

    def before_update(self, epoch: int) -> None:
        """The blending weights move in every tenth step only."""
        if (epoch + 1) % self.chosen.alpha_every:
            self.alpha.grad = None
