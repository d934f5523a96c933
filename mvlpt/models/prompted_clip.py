"""A frozen CLIP with a trained prompt: images in, logits over class names out.

Shape legend: B images, K classes, E features' width.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mvlpt.errors import PromptError
from mvlpt.models.backbone.backbone import Backbone
from mvlpt.models.label_space import LabelSpace
from mvlpt.models.optimisations import ComputeOptimisations
from mvlpt.models.prompts import PromptLearner, PromptMethod, Prompts
from mvlpt.models.towers.image import ImageTower
from mvlpt.models.towers.replay import autocast_dtype
from mvlpt.models.towers.text import TextTower
from mvlpt.models.towers.text_layout import TextLayout


class Outputs(NamedTuple):
    """What a prompted CLIP computes for a batch.

    Attributes:
        logits: (B, K); under ``per_task`` other tasks' classes have -inf.
        image_features: (B, E), normalised, as they were compared.
        text_features: (K', E) of the classes that were needed, normalised; ``None`` where every image has its own.
        classes: which K' classes these are; ``None`` for all.
    """

    logits: Tensor
    image_features: Tensor
    text_features: Tensor | None
    classes: list[int] | None = None


class PromptedCLIP(nn.Module):
    """Joins a prompt learner to the towers of a backbone.

    Only ``prompt_learner`` has parameters that require gradients. The backbone is shared, never changed and always in
    eval mode.

    Args:
        backbone: the frozen model.
        method: declares which towers the prompt changes.
        prompt_learner: holds the trained parameters; its call gives the ``Prompts``.
        layout: the prompt of each class.
        label_space: which classes an image competes with.
        optimisations: which to use.
        text_chunk: most text tokens that are encoded at once.
        options: how the prompt was built, for its file's header.
    """

    def __init__(
        self,
        backbone: Backbone,
        method: PromptMethod,
        prompt_learner: PromptLearner,
        layout: TextLayout,
        label_space: LabelSpace,
        *,
        optimisations: ComputeOptimisations,
        text_chunk: int,
        class_names: Sequence[str],
        options: dict[str, Any],
    ) -> None:
        super().__init__()
        self.method = method
        self.prompt_learner = prompt_learner
        self.clip = backbone.model
        self.backbone = backbone
        self.layout = layout
        self.label_space = label_space
        self.optimisations = optimisations
        self.class_names = tuple(class_names)
        self.options = dict(options)
        self.text_tower = TextTower(backbone, optimisations, text_chunk)
        self.image_tower = ImageTower(backbone, optimisations)
        self._kept: tuple[tuple, list[Tensor], Tensor] | None = None
        self.to(backbone.device)

    def train(self, mode: bool = True) -> PromptedCLIP:
        """Sets the prompt learner's mode; the backbone stays in eval mode."""
        super().train(mode)
        self.clip.eval()
        return self

    def release(self) -> None:
        """Gives back the GPU memory that recorded training passes hold; the next step records them again."""
        for tower in (self.text_tower, self.image_tower):
            if tower.replays is not None:
                tower.replays.release()

    def frozen_copy(self) -> PromptedCLIP:
        """The same backbone with a copy of the prompt as it is now, in eval mode, that is not trained."""
        copied = PromptedCLIP(
            self.backbone,
            self.method,
            copy.deepcopy(self.prompt_learner).requires_grad_(False),
            self.layout,
            self.label_space,
            optimisations=self.optimisations,
            text_chunk=self.text_tower.chunk_tokens,
            class_names=self.class_names,
            options=self.options,
        )
        return copied.eval()

    @property
    def trains_text(self) -> bool:
        """Whether text features depend on trained parameters."""
        return self.method.trains_text

    @property
    def trains_image(self) -> bool:
        """Whether image features do."""
        return self.method.trains_image

    # -- features -------------------------------------------------------------------------------------------------

    def image_features(self, images: Tensor, task: Tensor | None = None) -> Tensor:
        """Normalised image features, fp32 or better: (B, 3, height, width) -> (B, E).

        Args:
            images: see :meth:`forward`.
            task: (B,) the task of every image; needed where tasks have private parts of the visual prompt.
        """
        return self._image_features(images, task, self.prompt_learner() if self.trains_image else Prompts())

    def _image_features(self, images: Tensor, task: Tensor | None, prompts: Prompts) -> Tensor:
        private = self.prompt_learner.private
        if private is not None and prompts.first is not None:
            if task is not None:
                self.label_space.tasks_in(task)  # refuses those that do not exist
            elif len(private.tasks) > 1:
                raise PromptError("Tasks have private parts of the visual prompt: name the task of each image")
            prompts = private.prompts_of(prompts, 0) if task is None else private.prompts_of_images(prompts, task)
        features = self.image_tower.encode(images, prompts.first, prompts.deep, prompts.dropout, prompts.image_change)
        return unit(features)

    def text_features(self) -> Tensor:
        """Normalised text features of all classes: (K, E); for an image-conditioned prompt, before any shift.

        Classes with trained weights (:mod:`mvlpt.models.prompts.classes`) have these in their place.
        """
        return self._text_features(None, None)

    def encode_prompts(self, prompts: Prompts, classes: Sequence[int] | None = None) -> Tensor:
        """Normalised text features (K', E) of some classes, or all, by other contexts than the learner's own."""
        return self._encode_text(prompts, classes)

    def _text_features(self, prompts: Prompts | None, classes: list[int] | None) -> Tensor:
        own = self.prompt_learner.classes
        if own is None:
            return self._features_of_text(prompts, classes)
        return own.features(classes, lambda others: self._features_of_text(prompts, others))

    def _features_of_text(self, prompts: Prompts | None, classes: Sequence[int] | None) -> Tensor:
        if not self.optimisations.text_reuse or self._text_varies():
            if self.trains_text and prompts is None:
                prompts = self.prompt_learner()
            return self._encode_text(prompts if self.trains_text else None, classes)
        parameters = list(self.prompt_learner.parameters()) if self.trains_text else []
        state = (self.backbone.device, self.backbone.text_dtype, autocast_dtype(self.backbone.device))
        if self._kept is None or self._kept[0] != state or not _equal(self._kept[1], parameters):
            # never an inference tensor: a later training step may save it for its backward pass
            with torch.inference_mode(False), torch.no_grad():
                features = self._encode_text(self.prompt_learner() if self.trains_text else None, None)
                self._kept = (state, [parameter.detach().clone() for parameter in parameters], features)
        features = self._kept[2]
        return features if classes is None else features[torch.tensor(classes, device=features.device)]

    def _text_varies(self) -> bool:
        """Whether this pass needs text features of its own: for their gradients, or since dropout draws anew."""
        if not self.trains_text or torch.is_grad_enabled():
            return self.trains_text
        change = self.prompt_learner().text_change if self.prompt_learner.training else None
        return change is not None and change.dropout

    def _encode_text(self, prompts: Prompts | None, classes: Sequence[int] | None, copies: int = 1) -> Tensor:
        """Features of some classes, each with the prompt of its own task."""
        private = self.prompt_learner.private
        if private is None or prompts is None:
            return self._encode_classes(prompts, classes, copies)
        parts = self.label_space.by_task(classes)
        copies *= len(parts)
        features = [self._encode_classes(private.prompts_of(prompts, task), own, copies) for task, own in parts]
        return torch.cat(features)

    def _encode_classes(self, prompts: Prompts | None, classes: Sequence[int] | None, copies: int) -> Tensor:
        given = Prompts() if prompts is None else prompts
        options = {"deep": given.text_deep, "offsets": given.text_offsets, "change": given.text_change}
        return unit(self.text_tower.encode(self.layout, given.text, classes, copies=copies, **options))

    # -- logits ---------------------------------------------------------------------------------------------------

    def forward(self, images: Tensor, task: Tensor | None = None) -> Tensor:
        """Logits (B, K).

        Args:
            images: (B, 3, height, width), normalised as the backbone wants them.
            task: (B,) the task of every image; needed under ``per_task``, and for private parts of a visual prompt.
        """
        return self.outputs(images, task).logits

    def forward_features(self, image_features: Tensor, task: Tensor | None = None) -> Tensor:
        """Logits (B, K) from normalised image features (B, E) that were computed before.

        Raises:
            PromptError: the prompt changes image features, so that they cannot be reused.
        """
        return self.outputs_of_features(image_features, task).logits

    def outputs(self, images: Tensor, task: Tensor | None = None) -> Outputs:
        """Logits and the features they come from; arguments as :meth:`forward`'s."""
        prompts = Prompts() if self.method.conditional else self.prompt_learner()
        return self._classify(self._image_features(images, task, prompts), task, prompts)

    def outputs_of_features(self, image_features: Tensor, task: Tensor | None = None) -> Outputs:
        """As :meth:`outputs`, from features; arguments and errors as :meth:`forward_features`'."""
        if self.trains_image and not self.prompt_learner.fixed_towers:
            raise PromptError("Image features depend on the visual prompt that is trained; give images")
        return self._classify(image_features.to(self.backbone.device), task, None)

    def logits(self, image_features: Tensor, text_features: Tensor, task: Tensor | None = None) -> Tensor:
        """exp(logit_scale) * image . text: (B, E) and (K, E) -> (B, K); other tasks' classes -inf under per_task."""
        products = self._scaled_products(image_features, text_features)
        return self._restrict(products, task, None)

    def _classify(self, image_features: Tensor, task: Tensor | None, prompts: Prompts | None) -> Outputs:
        classes = self._needed_classes(task)
        if self.method.conditional:
            products, text_features = self._conditional_products(image_features, classes), None
        else:
            text_features = self._text_features(prompts, classes)
            image_features, text_features = self.prompt_learner.adapt(image_features, text_features, classes)
            products = self._scaled_products(image_features, text_features)
        return Outputs(self._restrict(products, task, classes), image_features, text_features, classes)

    def _scaled_products(self, image_features: Tensor, text_features: Tensor) -> Tensor:
        dtype = torch.promote_types(image_features.dtype, text_features.dtype)
        # at a scale of 100 half precision would round logits to eighths
        with torch.autocast(self.backbone.device.type, enabled=False):
            products = image_features.to(dtype) @ text_features.to(dtype).t()
            return self.backbone.logit_scale.to(dtype).exp() * products

    def _conditional_products(self, image_features: Tensor, classes: list[int] | None) -> Tensor:
        """Compares every image with class prompts of its own: (B, K')."""
        contexts = self.prompt_learner.contexts_for(image_features)
        rows = [
            self._scaled_products(feature[None], self._encode_text(Prompts(shifted), classes, len(contexts)))
            for feature, shifted in zip(image_features, contexts, strict=True)
        ]
        return torch.cat(rows)

    def _needed_classes(self, task: Tensor | None) -> list[int] | None:
        """The classes of the batch's tasks, or ``None`` for all."""
        if not self.label_space.per_task:
            return None
        if task is None:
            raise PromptError("Under the label space 'per_task' every batch must name the task of each image")
        tasks = self.label_space.tasks_in(task)
        if not self.optimisations.task_classes or len(tasks) == len(self.label_space.ranges):
            return None
        return self.label_space.classes_of(tasks)

    def _restrict(self, logits: Tensor, task: Tensor | None, classes: list[int] | None) -> Tensor:
        if self.label_space.per_task and task is None:
            raise PromptError("Under the label space 'per_task' every batch must name the task of each image")
        return self.label_space.restrict(logits, task, classes)


def unit(features: Tensor) -> Tensor:
    """Features of length one, in fp32 or better whatever the towers computed in."""
    return F.normalize(features.to(torch.promote_types(features.dtype, torch.float32)), dim=-1)


def _equal(kept: list[Tensor], parameters: list[nn.Parameter]) -> bool:
    return len(kept) == len(parameters) and all(
        a.shape == b.shape and a.dtype == b.dtype and torch.equal(a, b) for a, b in zip(kept, parameters, strict=True)
    )
