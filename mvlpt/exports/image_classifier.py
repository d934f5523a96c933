"""A classifier as one module from pixels to logits, and samples to check an export with.

Shapes: B images, K classes, E features.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mvlpt.errors import CheckpointError, PromptError
from mvlpt.inference import Classifier
from mvlpt.models import PromptedCLIP

TOLERANCE = 1e-4  # largest difference between logits, absolute and relative
SAMPLES = 3


class ImageClassifier(nn.Module):
    """Pixels (B, 3, H, W) to logits (B, K), float32; the class weights are constants.

    Args:
        classifier: with fixed class weights, on the CPU.

    Raises:
        PromptError: the class weights depend on the image.
    """

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        model = classifier.model
        self._held = (model if hasattr(model, "image_features") else None, classifier.backbone)  # not its text tower
        self.visual = classifier.backbone.model.visual
        self.learner = getattr(model, "prompt_learner", None)
        weights, biases = _weights_of(classifier)
        self.register_buffer("class_weights", weights.detach().float().clone())
        self.register_buffer("class_bias", biases.detach().float().clone())
        self.logit_scale = classifier.logit_scale

    def forward(self, pixels: Tensor) -> Tensor:
        """See the class."""
        prompted, backbone = self._held
        if prompted is not None:
            features = prompted.image_features(pixels).float()
        else:
            features = nn.functional.normalize(backbone.encode_image(pixels).float(), dim=-1)
        return self.logit_scale * features @ self.class_weights.T + self.class_bias


def _weights_of(classifier: Classifier) -> tuple[Tensor, Tensor]:
    """Weights (K, E) and biases (K,): what the classifier says, or the text features of its prompted model.

    Raises:
        PromptError: neither is fixed.
    """
    try:
        return classifier.class_weights(), classifier.class_bias()
    except PromptError:
        model = classifier.model
        if not isinstance(model, PromptedCLIP) or model.method.conditional:
            raise
        ranges = [(0, len(model.class_names)), *model.label_space.ranges]
        own = [part for part in ranges if model.class_names[slice(*part)] == classifier.class_names]
        if not own:
            raise
        with torch.no_grad():
            weights = model.text_features()[slice(*own[0])]
        return weights, torch.zeros(len(weights))


def image_classifier(classifier: Classifier, format: str) -> ImageClassifier:
    """The module of a classifier, checked against it.

    Args:
        classifier: what is exported.
        format: its name, for messages.

    Raises:
        PromptError: the classifier is more than an image tower and class weights.
    """
    try:
        module = ImageClassifier(classifier).eval()
    except PromptError as error:
        raise PromptError(f"It cannot be exported to {format}: {error}") from error
    pixels = samples(classifier)
    with torch.no_grad():
        difference = largest_difference(module(pixels), classifier.logits(pixels))
    if difference > 1:
        raise PromptError(
            f"It cannot be exported to {format}: its scores are not those of one image tower and fixed class weights"
        )
    return module


def samples(classifier: Classifier, count: int = SAMPLES) -> Tensor:
    """Random pixels (B, 3, H, W) of the size that the classifier takes; always the same."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, 3, *classifier.preprocess.size, generator=generator)


def largest_difference(logits: Tensor, expected: Tensor) -> float:
    """In units of :data:`TOLERANCE`: above 1 the logits are not the same up to rounding."""
    if logits.shape != expected.shape:
        return float("inf")
    return float(((logits - expected).abs() / (TOLERANCE * (1 + expected.abs()))).max())


def check_same(logits: Tensor, expected: Tensor, what: str) -> float:
    """Checks an export against the classifier; returns the largest absolute difference.

    Raises:
        CheckpointError: they differ by more than rounding.
    """
    found = float((logits - expected).abs().max()) if logits.shape == expected.shape else float("inf")
    if not largest_difference(logits, expected) <= 1:
        raise CheckpointError(
            f"The exported {what} gives other logits than the run, by up to {found:.2g}; nothing was written"
        )
    return found
