"""A prompt file as the model of a classifier."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from yacs.config import CfgNode

from mvlpt.data import TaskInfo
from mvlpt.engine import TRAINER_REGISTRY, Resources, configured_backbone, current_resources
from mvlpt.errors import BackboneError, CheckpointError
from mvlpt.inference.preprocessing import Preprocessing
from mvlpt.inference.request import Request
from mvlpt.inference.scorers import PromptScorer
from mvlpt.inference.sources import Source
from mvlpt.inference.tasks import choose_task, recorded_infos, with_classes
from mvlpt.models import Backbone, Origin, PromptFile, check_origin
from mvlpt.trainers import PromptTrainer

PRECISIONS = {"bfloat16": "bf16", "float16": "fp16", "float64": "fp64"}  # as torch names them, and as we do
INFERENCE = ("model_inference", "parse_batch_test", "build_model", "_forward", "encode_images", "test")


def prompt_decides(cfg: CfgNode) -> bool:
    """Whether a run's prompt file alone says what its trainer computes: the trainer changes nothing of that."""
    kind = TRAINER_REGISTRY.get(cfg.TRAINER.NAME)
    if not (isinstance(kind, type) and issubclass(kind, PromptTrainer)):
        return False
    return all(getattr(kind, name) is getattr(PromptTrainer, name) for name in INFERENCE)


def prompt_parts(
    source: Source, prompt: PromptFile, cfg: CfgNode | None, request: Request
) -> tuple[TaskInfo, PromptMaker]:
    """The classes of a classifier, and what makes its model on a device.

    Args:
        source: what the user named.
        prompt: its prompt.
        cfg: the run's configuration, if there is one.
        request: what the user wants.

    Raises:
        CheckpointError: there is no such task, or the prompt cannot take new classes.
    """
    tasks = recorded_infos(source, prompt, cfg)
    if sum(task.num_classes for task in tasks) != len(prompt.class_names):
        raise CheckpointError(
            f"{source.prompt} is damaged: its tasks have {sum(task.num_classes for task in tasks)} classes, and it has"
            f" {len(prompt.class_names)}"
        )
    if request.classes is None:
        chosen = tasks[choose_task(tasks, request.task, source)]
        chosen = replace(chosen, start=0, stop=chosen.num_classes)
    else:
        chosen = with_classes(tasks, request.task, request.classes, source)
        if prompt.origin.class_bound:
            raise CheckpointError(
                f"{source.asked} has contexts for each of its own classes, so it cannot take new ones"
                f" ({', '.join(chosen.classnames)}); leave the classes out, or tune a prompt that classes share"
            )
    own = chosen.name if len(tasks) > 1 and request.classes is None else None
    return chosen, PromptMaker(source, prompt, cfg, request, chosen, own, current_resources())


@dataclass(frozen=True)
class PromptMaker:
    """Builds the model of a prompt.

    Attributes:
        source, prompt, cfg, request: see :func:`prompt_parts`.
        task: the classes, and how images are read.
        own: name of the task among several, whose classes and private parts count; ``None`` for all there is.
        resources: loaded backbones.
    """

    source: Source
    prompt: PromptFile
    cfg: CfgNode | None
    request: Request
    task: TaskInfo
    own: str | None
    resources: Resources

    def __call__(self, device: torch.device) -> tuple[PromptScorer, Preprocessing]:
        """The model on a device, and how its images are prepared.

        Raises:
            CheckpointError: the prompt does not fit the backbone.
            BackboneError: the backbone cannot be loaded.
        """
        backbone = self._backbone(device)
        here = Origin(
            class_bound=True,
            backbone=backbone.name,
            pretrained=backbone.pretrained,
            fingerprint=backbone.fingerprint,
            precision=str(next(backbone.model.parameters()).dtype).removeprefix("torch."),
        )
        saved = replace(self.prompt.origin, class_bound=True, class_names=(), preprocessing={})
        check_origin(saved, here, f"The prompt {self.source.prompt}", force=self.request.force)
        new_classes = None if self.request.classes is None else list(self.task.classnames)
        model = self.prompt.build(backbone, new_classes, self.own, force=True)
        preprocessing = self._preprocessing(backbone)
        backbone.require_image_size(preprocessing.size)
        return PromptScorer(model, self._autocast(device)), preprocessing

    def _backbone(self, device: torch.device) -> Backbone:
        """The user's backbone, or else the run's, or else the one that the prompt's header names."""
        name, weights = self.request.backbone, self.request.pretrained
        if isinstance(name, Backbone):
            return name.to(device)
        precision = PRECISIONS.get(self.prompt.origin.precision, "fp32")
        precision = "fp32" if precision == "fp16" and device.type == "cpu" else precision
        if name is None and weights is None and self.cfg is not None:
            return configured_backbone(self.cfg, device, precision, self.resources)
        if name is not None or weights is not None:
            name = name or self.prompt.backbone
            return self.resources.backbone(name, weights or "", device, precision)
        try:
            return self.resources.backbone(self.prompt.backbone, self.prompt.pretrained, device, precision)
        except BackboneError as error:
            raise CheckpointError(
                f"The prompt {self.source.prompt} was trained with backbone '{self.prompt.backbone}'"
                f" ({self.prompt.pretrained or 'no tag'}), which cannot be loaded: {error}"
            ) from error

    def _preprocessing(self, backbone: Backbone) -> Preprocessing:
        read = {"center_crop": self.task.center_crop, "transparency": self.task.transparency}
        if self.cfg is not None:
            return Preprocessing.of_config(self.cfg, **read)
        return Preprocessing.of_prompt(self.prompt.origin.preprocessing, backbone, **read)

    def _autocast(self, device: torch.device) -> torch.dtype | None:
        """The type of a run in mixed precision."""
        if self.cfg is None or device.type != "cuda":
            return None
        section = TRAINER_REGISTRY.get(self.cfg.TRAINER.NAME).section
        return torch.float16 if section and self.cfg.TRAINER[section].PREC == "amp" else None
