"""Augmentations under the names that Dassl's classes have, for code that builds them itself; all are torchvision's."""

from __future__ import annotations

import torch
from PIL import Image
from torchvision import transforms as T


class _Policy(T.AutoAugment):
    """One of AutoAugment's learnt policies.

    Args:
        fillcolor: what is put where an operation leaves nothing.
    """

    policy_name: T.AutoAugmentPolicy

    def __init__(self, fillcolor: tuple[int, int, int] = (128, 128, 128)) -> None:
        super().__init__(self.policy_name, fill=list(fillcolor))


class ImageNetPolicy(_Policy):
    """The policy learnt on ImageNet."""

    policy_name = T.AutoAugmentPolicy.IMAGENET


class CIFAR10Policy(_Policy):
    """The policy learnt on CIFAR-10."""

    policy_name = T.AutoAugmentPolicy.CIFAR10


class SVHNPolicy(_Policy):
    """The policy learnt on SVHN."""

    policy_name = T.AutoAugmentPolicy.SVHN


class RandAugment(T.RandAugment):
    """``n`` random operations of strength ``m``."""

    def __init__(self, n: int = 2, m: int = 10) -> None:
        super().__init__(n, m)


class RandAugmentFixMatch:
    """``n`` random operations of random strength."""

    def __init__(self, n: int = 2) -> None:
        self.n = n
        self._augment = T.TrivialAugmentWide()

    def __call__(self, img: Image.Image) -> Image.Image:
        for _ in range(self.n):
            img = self._augment(img)
        return img


class RandAugment2(RandAugmentFixMatch):
    """``n`` random operations of random strength, each with probability ``p``."""

    def __init__(self, n: int = 2, p: float = 0.6) -> None:
        super().__init__(n)
        self.p = p

    def __call__(self, img: Image.Image) -> Image.Image:
        for _ in range(self.n):
            if torch.rand(()) <= self.p:
                img = self._augment(img)
        return img
