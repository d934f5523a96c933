"""The contract of a head: a classifier on frozen image features, fitted to a few labelled ones.

Shape legend: B images, N training images, V views, K classes of all tasks, E width of features, M class prompts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class ClassTexts:
    """What the text tower says about the classes, before any training.

    Attributes:
        weights: (K, E) of length one: each template's feature normalised, their mean normalised again.
        raw: (K, E) mean over templates of features as the tower gives them, not normalised.
        samples: (M, E) of length one, a row for each class and template.
        labels: (M,) the class of each row of ``samples``.
        task: (K,) the task of each class; ``None`` where all are of one task.
    """

    weights: Tensor
    raw: Tensor
    samples: Tensor
    labels: Tensor
    task: Tensor | None = None


@dataclass(frozen=True)
class Support:
    """The training images of all tasks.

    Attributes:
        features: (V, N, E) of length one.
        shares: (N, K) what each class has of an image: rows add up to one, or to zero for an image without a label.
        task: (N,) the task of each image.
    """

    features: Tensor
    shares: Tensor
    task: Tensor

    def mean_view(self) -> Tensor:
        """(N, E): the mean over views, of length one."""
        return F.normalize(self.features.mean(dim=0), dim=-1)

    def class_sums(self) -> Tensor:
        """(K, E): the sum of the features of each class, averaged over views."""
        return self.shares.t() @ self.features.mean(dim=0)


class FeatureHead(nn.Module):
    """Scores image features; its parameters and persistent buffers are all that a checkpoint holds.

    A subclass declares its options and computes logits. Text features follow from the class names and are not saved.

    Args:
        texts: of the classes.
        scale: the backbone's temperature, exp(logit_scale).
        images: number N of training images; 0 where they are not known, as in an evaluation.
        options: an instance of :attr:`options`.

    Attributes:
        options: a frozen dataclass, every field with a default; its ``__post_init__`` checks the values.
        section: the section of ``TRAINER`` that holds the options, each under its name in capitals.
        trains: it has parameters to train; otherwise :meth:`fit` is all.
        whole_batches: each step sees all training images at once.
        fits_anew: :meth:`fit` sets all that is trained or kept, so that nothing remains of a checkpoint.
    """

    options: ClassVar[type]
    section: ClassVar[str]
    trains: ClassVar[bool] = True
    whole_batches: ClassVar[bool] = False
    fits_anew: ClassVar[bool] = False

    def __init__(self, texts: ClassTexts, scale: Tensor, images: int, options: Any) -> None:
        super().__init__()
        self.chosen = options
        for name in ("weights", "raw", "samples", "labels"):
            self.register_buffer(f"text_{name}", getattr(texts, name).detach().clone(), persistent=False)
        task = torch.zeros(len(texts.weights), dtype=torch.long) if texts.task is None else texts.task
        self.register_buffer("text_task", task.detach().clone(), persistent=False)
        self.register_buffer("scale", scale.detach().float().clone(), persistent=False)

    def fit(self, support: Support) -> None:
        """Takes what it needs from the training images, before the first step."""

    def forward(self, features: Tensor, task: Tensor | None = None) -> Tensor:
        """Logits (B, K) of image features (B, E) of length one.

        Args:
            features: of the images.
            task: (B,) their tasks; methods that look at training images then look at those of the same task.
        """
        raise NotImplementedError(f"{type(self).__name__} does not compute logits")

    def penalty(self) -> Tensor | float:
        """What a step's loss has besides the mean cross-entropy."""
        return 0.0

    def optimizer(self) -> torch.optim.Optimizer | None:
        """An optimiser that the method prescribes; ``None``: the configuration's."""
        return None

    def set_rates(self, optimizer: torch.optim.Optimizer) -> None:
        """Sets learning rates that follow from the training images, after :meth:`fit`."""

    def before_update(self, epoch: int) -> None:
        """Called between the backward pass and the optimiser's step; epochs count from 0."""

    def expect(self, state: dict[str, Tensor]) -> None:
        """Makes room for what a checkpoint holds, where that depends on its number of training images."""


def options_of(head: type[FeatureHead], section: Any) -> Any:
    """Checked options from a section of a configuration.

    Raises:
        PromptError: a value that does not fit.
    """
    names: Sequence[str] = tuple(head.options.__dataclass_fields__)
    return head.options(**{name: section[name.upper()] for name in names})
