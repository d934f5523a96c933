"""The losses of all tasks under one fresh prompt of a trainer, from which affinities are computed.

Shapes: B images of a task, K classes of all tasks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from mvlpt.config import Config, check_config
from mvlpt.data import Datum, labels_of
from mvlpt.engine import TRAINER_REGISTRY, build_trainer
from mvlpt.engine.optim import build_optimizer
from mvlpt.errors import ConfigError, DataError
from mvlpt.graph.affinity import PromptLosses, TaskBatch
from mvlpt.graph.embeddings import TaskSource
from mvlpt.models import PromptedCLIP
from mvlpt.randomness import python_stream
from mvlpt.trainers import FrozenCLIPTrainer, PromptTrainer, prompt_losses

MAX_IMAGES = 256  # of a task, for affinities

Optimizer = Callable[[Sequence[torch.nn.Parameter]], torch.optim.Optimizer]


def affinity_config(cfg: Config) -> Config:
    """The configuration under which affinities are computed: one prompt for all tasks, in single precision.

    An image competes with its own task's classes, so that a task's loss does not depend on the other tasks.

    Raises:
        ConfigError: no trainer is named, or one that tunes no prompt which all images share.
        UnknownNameError: there is no such trainer.
    """
    if not cfg.TRAINER.NAME:
        raise ConfigError("Affinities are of a trainer's prompt; give --trainer, or its YAML file as --config-file")
    kind = TRAINER_REGISTRY.get(cfg.TRAINER.NAME)
    if issubclass(kind, FrozenCLIPTrainer):
        method = kind.planned_prompt(cfg)[0] if issubclass(kind, PromptTrainer) else None
        if method is None or method.conditional:
            raise _no_affinity(cfg.TRAINER.NAME)
    changed = cfg.clone()
    changed.defrost()
    changed.DATASET.MULTITASK_LABEL_PERTASK = True
    section = getattr(kind, "section", "")
    if section:
        changed.TRAINER[section].PREC = "fp32"
    changed.TRAINER.MVLPT.PRIVATE.RANK = 0  # affinities are of the prompt that tasks share
    changed.TRAINER.MVLPT.DISTILL.WEIGHT = 0.0
    changed.TRAINER.MVLPT.META.INNER_STEPS = 0
    changed.TEST.NO_TEST, changed.VERBOSE = True, False
    check_config(changed)
    changed.freeze()
    return changed


def _no_affinity(trainer: str) -> ConfigError:
    return ConfigError(
        f"{trainer} tunes no prompt that all images share, so it has no affinities; "
        "give another trainer, such as --trainer MVLPT-CoOp"
    )


def task_losses(cfg: Config, sources: Sequence[TaskSource]) -> tuple[PromptLosses, Optimizer]:
    """The tasks' losses under the trainer's fresh prompt, and a function that makes the trainer's optimiser.

    Args:
        cfg: see :func:`affinity_config`.
        sources: the same tasks; their images are read in the test view.

    Raises:
        ConfigError: the trainer tunes no prompt which all images share.
        DataError: a task has no training images.
    """
    trainer = build_trainer(cfg)
    model = getattr(trainer, "model", None)
    if not isinstance(model, PromptedCLIP) or model.method.conditional:
        raise _no_affinity(cfg.TRAINER.NAME)
    model.eval()  # dropout on prompts would make the same step give another loss
    batches = {}
    multi_label = any(task.multi_label for task in trainer.dm.tasks)
    for task, source in zip(trainer.dm.tasks, sources, strict=True):
        chosen = _chosen_images(source)
        images = torch.stack([source.images[index]["img"] for index in chosen])
        items = [source.images.data_source[index] for index in chosen]
        classes = model.label_space.n_classes if multi_label else None
        batches[source.name] = TaskBatch(images, _labels(items, task.start, classes))
    losses = PromptLosses(model, batches, prompt_losses)
    return losses, lambda _: build_optimizer(model.prompt_learner, cfg.OPTIM)


def _chosen_images(source: TaskSource) -> list[int]:
    """Indices of a task's images: all, or :data:`MAX_IMAGES` drawn by the task's name."""
    count = len(source.images.data_source)
    if not count:
        raise DataError(f"Task '{source.name}' has no training images, so nothing can be said of its gradients")
    if count <= MAX_IMAGES:
        return list(range(count))
    return sorted(python_stream("affinity images", source.name).sample(range(count), MAX_IMAGES))


def _labels(items: Sequence[Datum], start: int, classes: int | None) -> torch.Tensor:
    """Class ids (B,) in the label space of all tasks, or multi-hot rows (B, K) where ``classes`` is K."""
    if classes is None:
        return torch.tensor([start + labels_of(item)[0] for item in items])
    rows = torch.zeros(len(items), classes)
    for row, item in zip(rows, items, strict=True):
        row[[start + label for label in labels_of(item)]] = 1.0
    return rows
