"""CLAP and ZS-LP: a linear probe that starts at the zero-shot weights, and is kept near them class by class.

Silva-Rodriguez et al., A Closer Look at the Few-Shot Adaptation of Large Vision-Language Models (CVPR 2024, arXiv
2312.12730), sections 4.1 (ZS-LP) and 4.2 (CLAP, equations 8 to 10).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mvlpt.models.heads.base import ClassTexts, Support
from mvlpt.models.heads.linear import LinearHead, Pullback, scaled


@dataclass(frozen=True)
class CLAPOptions:
    """Attributes:
    constraint: hold the weights near the zero-shot ones (CLAP); without it, ZS-LP.
    """

    constraint: bool = True


class CLAPHead(LinearHead):
    """Weights w (K, E) from the text features t, which are not normalised; logits are scaled cosines.

    The penalty is the mean over classes of ``lambda_k |w_k - t_k|^2``. lambda_k is the mean probability that zero-shot
    classification gives class k on its own training images: what is known well is changed little.
    """

    options, section = CLAPOptions, "CLAP"

    def __init__(self, texts: ClassTexts, scale: Tensor, images: int, options: Any) -> None:
        super().__init__(texts, scale, images, options)
        self.prototypes = nn.Parameter(texts.raw.detach().clone())
        self.register_buffer("multipliers", torch.zeros(len(texts.raw)))

    @torch.no_grad()
    def fit(self, support: Support) -> None:
        """Computes the multipliers; a class without images gets 1, so that it stays as it is."""
        logits = support.features @ scaled(self.text_raw, self.scale)[0].t()
        mine = support.task[:, None] == self.text_task[None]  # zero-shot among the classes of the image's task
        probability = logits.masked_fill(~mine, -torch.inf).softmax(dim=-1).mean(dim=0)
        count = support.shares.sum(dim=0)
        mean = (probability * support.shares).sum(dim=0) / count.clamp_min(torch.finfo(count.dtype).tiny)
        self.multipliers.copy_(torch.where(count > 0, mean, torch.ones_like(mean)))

    def class_weights(self) -> Tensor:
        """The weights at the length of the temperature."""
        return scaled(self.prototypes, self.scale)[0]

    def penalty(self) -> Tensor | float:
        """What pulls the weights to the zero-shot ones."""
        if not self.chosen.constraint:
            return 0.0
        return (self.multipliers * (self.prototypes - self.text_raw).square().sum(dim=-1)).mean()

    def linearise(self) -> tuple[Tensor, Pullback]:
        """Through the normalisation, and what the penalty adds."""
        weights, pull_back = scaled(self.prototypes, self.scale)

        def set_gradients(gradient: Tensor) -> None:
            self.prototypes.grad = pull_back(gradient)
            if self.chosen.constraint:
                moved = self.prototypes - self.text_raw
                self.prototypes.grad.addcmul_(self.multipliers[:, None], moved, value=2 / len(moved))

        return weights, set_gradients
