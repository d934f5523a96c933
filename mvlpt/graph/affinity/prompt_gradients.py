"""Each task's loss and gradient as functions of the prompt that all tasks share.

Shapes: B images, K classes of all tasks, E feature width, P trained values of the prompt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from mvlpt.errors import GraphError
from mvlpt.models import PromptedCLIP

Loss = Callable[[Tensor, Tensor], Tensor]


class TaskLosses(Protocol):
    """What affinities are computed from: task names, shared parameters, losses and gradients."""

    tasks: Sequence[str]
    parameters: Sequence[nn.Parameter]

    def value(self, task: int) -> float:
        """The task's loss at the current parameters."""

    def gradient(self, task: int) -> tuple[float, Tensor]:
        """The task's loss and its gradient (P,), the flattened gradients of all parameters."""


@dataclass(frozen=True)
class TaskBatch:
    """A task's few-shot images with their labels in the label space of all tasks.

    Attributes:
        images: (B, 3, height, width), preprocessed for the backbone.
        label: class ids (B,), int64, or multi-hot rows (B, K), float.
    """

    images: Tensor
    label: Tensor


class PromptLosses:
    """The tasks' losses under one shared prompt of a frozen CLIP.

    Each image is classified among its own task's classes only, so a task's loss does not depend on the other tasks. If
    the image tower has no prompt, image features are computed once.

    Args:
        model: a prompted CLIP with label space ``per_task``; a task's id is the position of its name in ``batches``.
        batches: each task's images and labels, in the order of the model's tasks.
        loss: from logits (B, K) and labels to losses (B,), as in training.
        micro_batch: the most images in one forward pass.

    Raises:
        GraphError: the model has another number of tasks or another label space, or a task has no images.
    """

    def __init__(
        self, model: PromptedCLIP, batches: Mapping[str, TaskBatch], loss: Loss, *, micro_batch: int = 64
    ) -> None:
        if not model.label_space.per_task or len(model.label_space.ranges) != len(batches):
            raise GraphError(
                f"Affinities of {len(batches)} tasks need a prompt for as many, in the label space 'per_task', not "
                f"{len(model.label_space.ranges)} in '{model.label_space.kind}'"
            )
        for name, batch in batches.items():
            if not len(batch.images):
                raise GraphError(f"Task '{name}' has no training images to compute gradients from")
        self.tasks = tuple(batches)
        self.parameters = [p for p in model.prompt_learner.parameters() if p.requires_grad]
        self._model, self._loss, self._micro_batch = model, loss, micro_batch
        device = model.backbone.device
        self._labels = [batch.label.to(device) for batch in batches.values()]
        self._inputs = [self._prepare(batch.images) for batch in batches.values()]

    def value(self, task: int) -> float:
        """The mean loss of the task's images."""
        with torch.no_grad():
            total = sum(float(self._part(task, part)) for part in self._parts(task))
        return total / len(self._labels[task])

    def gradient(self, task: int) -> tuple[float, Tensor]:
        """The mean loss of the task's images, and its gradient (P,), fp32, on the model's device."""
        flat, total = None, 0.0
        for part in self._parts(task):
            with torch.enable_grad():
                loss = self._part(task, part)
                grads = torch.autograd.grad(loss, self.parameters, allow_unused=True)
            row = flatten(
                [torch.zeros_like(p) if g is None else g for p, g in zip(self.parameters, grads, strict=True)]
            )
            flat = row if flat is None else flat + row
            total += loss.item()
        count = len(self._labels[task])
        return total / count, flat / count

    @torch.no_grad()
    def features(self, task: int) -> Tensor:
        """What the prompt makes of the task: the mean feature (D,) of its images, of its class names, or both in a row.

        Those that the prompt does not change are left out.
        """
        means = []
        if self._model.trains_image:
            ids = torch.full((len(self._labels[task]),), task, device=self._labels[task].device)
            parts = [self._model.image_features(self._inputs[task][p], ids[p]) for p in self._parts(task)]
            means.append(torch.cat(parts).mean(dim=0))
        if self._model.trains_text:
            means.append(self._model.text_features()[self._model.label_space.classes_of([task])].mean(dim=0))
        return torch.cat(means)

    def _prepare(self, images: Tensor) -> Tensor:
        """The images, or their features (B, E) if no prompt changes them."""
        images = images.to(self._model.backbone.device)
        if self._model.trains_image:
            return images
        with torch.no_grad():
            return torch.cat([self._model.image_features(part) for part in images.split(self._micro_batch)])

    def _parts(self, task: int) -> Iterator[slice]:
        for start in range(0, len(self._labels[task]), self._micro_batch):
            yield slice(start, start + self._micro_batch)

    def _part(self, task: int, part: slice) -> Tensor:
        """The summed loss of some of a task's images."""
        inputs, label = self._inputs[task][part], self._labels[task][part]
        ids = torch.full((len(inputs),), task, device=inputs.device)
        forward = self._model if self._model.trains_image else self._model.forward_features
        return self._loss(forward(inputs, ids), label).sum()


def flatten(tensors: Sequence[Tensor]) -> Tensor:
    """The values of some tensors as one vector (P,), fp32 or better."""
    flat = torch.cat([tensor.detach().reshape(-1) for tensor in tensors])
    return flat.to(torch.promote_types(flat.dtype, torch.float32))


@torch.no_grad()
def set_parameters(parameters: Sequence[nn.Parameter], values: Tensor) -> None:
    """Copies a vector (P,) into the parameters."""
    start = 0
    for parameter in parameters:
        parameter.copy_(values[start : start + parameter.numel()].view_as(parameter))
        start += parameter.numel()


@contextmanager
def restore_parameters(parameters: Sequence[nn.Parameter]) -> Iterator[None]:
    """Restores the values, bit for bit, and gradients of the parameters when the block ends, also after an error."""
    before = [(parameter.detach().clone(), parameter.grad) for parameter in parameters]
    try:
        yield
    finally:
        with torch.no_grad():
            for parameter, (value, grad) in zip(parameters, before, strict=True):
                parameter.copy_(value)
                parameter.grad = grad
