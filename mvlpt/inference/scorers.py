"""The two kinds of models behind a classifier: a tuned prompt, and a trainer of any kind with its weights loaded.

Shapes: B images, K classes of the classifier, E features.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any, Protocol

import torch
from torch import Tensor

from mvlpt.errors import PromptError
from mvlpt.models import Backbone, PromptedCLIP
from mvlpt.models.prompts import PromptLearner


class Scorer(Protocol):
    """What a classifier needs of its model.

    Attributes:
        model: the module with the trained part; ``None`` where nothing is trained.
        backbone: the frozen model; ``None`` for a trainer that has none.
        device: where it computes.
    """

    model: Any
    backbone: Backbone | None
    device: torch.device

    def logits(self, pixels: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, K)."""

    def image_features(self, pixels: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, E), of length one."""

    def class_weights(self) -> tuple[Tensor, Tensor]:
        """Weights (K, E) and biases (K,) with ``logits = exp(logit_scale) * features @ weights.T + biases``."""


class PromptScorer:
    """A tuned prompt on its backbone.

    Args:
        model: built for the classes of the classifier.
        autocast: compute in this type, as the run did (``amp``); ``None`` for the model's own.
    """

    def __init__(self, model: PromptedCLIP, autocast: torch.dtype | None = None) -> None:
        self.model = model.eval()
        self.backbone = model.backbone
        self._autocast = autocast

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.backbone.device

    def logits(self, pixels: Tensor) -> Tensor:
        """See :class:`Scorer`."""
        with torch.no_grad(), self._precision():
            return self.model(pixels.to(self.device)).float()

    def image_features(self, pixels: Tensor) -> Tensor:
        """See :class:`Scorer`."""
        with torch.no_grad(), self._precision():
            return self.model.image_features(pixels.to(self.device)).float()

    def class_weights(self) -> tuple[Tensor, Tensor]:
        """Text features, and zeros.

        Raises:
            PromptError: the method compares every image with other features.
        """
        learner, method = self.model.prompt_learner, self.model.method
        if method.conditional or type(learner).adapt is not PromptLearner.adapt:
            raise PromptError(
                f"The prompt method '{method.name}' has no fixed weights of the classes: they depend on the image"
            )
        with torch.no_grad(), self._precision():
            weights = self.model.text_features().float()
        return weights, torch.zeros(len(weights), device=weights.device)

    def _precision(self) -> Any:
        return torch.autocast(self.device.type, dtype=self._autocast) if self._autocast else nullcontext()


class TrainerScorer:
    """A trainer whose models are loaded.

    Args:
        trainer: anything with Dassl's ``parse_batch_test`` and ``model_inference``.
        index: the number of the task among the trainer's.
        start, stop: the range of the task's classes.
        multi_label: labels are vectors.
    """

    def __init__(self, trainer: Any, index: int, start: int, stop: int, *, multi_label: bool = False) -> None:
        self.trainer = trainer
        self.model = getattr(trainer, "model", None)
        self.backbone = getattr(trainer, "backbone", None)
        self.device = torch.device(trainer.device)
        self._index, self._range, self._multi_label = index, slice(start, stop), multi_label
        trainer.set_model_mode("eval")

    def logits(self, pixels: Tensor) -> Tensor:
        """See :class:`Scorer`."""
        with torch.no_grad():
            input, _ = self.trainer.parse_batch_test(self._batch(pixels))
            return self.trainer.model_inference(input)[:, self._range].float()

    def image_features(self, pixels: Tensor) -> Tensor:
        """See :class:`Scorer`.

        Raises:
            PromptError: the trainer does not say how images are encoded.
        """
        encode = getattr(self.trainer, "encode_images", None)
        if encode is None:
            raise PromptError(
                f"The trainer {type(self.trainer).__name__} has no encode_images, so features are unknown"
            )
        with torch.no_grad():
            return encode(pixels.to(self.device)).float()

    def class_weights(self) -> tuple[Tensor, Tensor]:
        """What the trainer's own ``class_weights`` gives.

        Raises:
            PromptError: it has none.
        """
        weights_of = getattr(self.trainer, "class_weights", None)
        if weights_of is None:
            name = type(self.trainer).__name__
            raise PromptError(f"The trainer {name} has no class_weights(), so its classes have no known weights")
        with torch.no_grad():
            weights, biases = weights_of()
        return weights[self._range].float(), biases[self._range].float()

    def _batch(self, pixels: Tensor) -> dict[str, Any]:
        count = len(pixels)
        numbers = torch.full((count,), self._index)
        shape = (count, self.trainer.num_classes) if self._multi_label else (count,)
        labels = torch.zeros(shape, dtype=torch.float32 if self._multi_label else torch.int64)
        paths = [""] * count
        return {
            "img": pixels,
            "label": labels,
            "task": numbers,
            "domain": numbers,
            "index": torch.arange(count),
            "impath": paths,
        }
