"""From a configuration to what the task graph is computed from: images, class names, and losses of a shared prompt.

Shapes: B images of a task, K classes of all tasks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from mvlpt.config import Config, check_config, task_names
from mvlpt.data import DataManager, DatasetWrapper, Datum
from mvlpt.data.datum import labels_of
from mvlpt.data.loading.transforms import transform_of
from mvlpt.engine.backbone import configured_backbone
from mvlpt.engine.registries import TRAINER_REGISTRY, build_trainer
from mvlpt.errors import ConfigError, DataError
from mvlpt.graph.affinity.prompt_gradients import PromptLosses, TaskBatch
from mvlpt.graph.embeddings.embed import TaskSource
from mvlpt.models import Backbone, PromptedCLIP
from mvlpt.randomness import python_stream

METHODS = ("coop", "vpt", "upt")
MOST_IMAGES = 256  # of a task, for affinities


@dataclass(frozen=True)
class GraphInputs:
    """The tasks of a configuration.

    Attributes:
        cfg: the configuration.
        backbone: the frozen model.
        sources: for each task its few-shot training images, class names and templates.
    """

    cfg: Config
    backbone: Backbone
    sources: tuple[TaskSource, ...]


def task_sources(cfg: Config) -> tuple[TaskSource, ...]:
    """Builds the tasks that a frozen configuration names; no model is loaded and no image is read.

    Raises:
        ConfigError: no task is named, or images stay as they are.
        DataError: a data set cannot be used.
    """
    if not task_names(cfg):
        raise ConfigError("No task is named; give --tasks a,b,c, or an experiment file as --config-file")
    if cfg.INPUT.NO_TRANSFORM:
        raise ConfigError("INPUT.NO_TRANSFORM leaves images as they are, but the backbone takes tensors; drop it")
    with DataManager(cfg) as manager:
        members = getattr(manager.dataset, "members", None) or [manager.dataset]
        sources = []
        for position, (task, member) in enumerate(zip(manager.tasks, members, strict=True)):
            images = DatasetWrapper(cfg, list(member.train_x or ()), transform=transform_of(manager.tfm_test, position))
            sources.append(TaskSource(task.name, task.classnames, images, task.templates, task.metric))
    return tuple(sources)


def graph_inputs(cfg: Config, sources: tuple[TaskSource, ...]) -> GraphInputs:
    """The tasks of a frozen configuration, and its model.

    Raises:
        ConfigError: no backbone is named, or images do not have its size.
    """
    backbone = load_backbone(cfg)
    backbone.require_image_size(tuple(cfg.INPUT.SIZE))
    return GraphInputs(cfg, backbone, sources)


def load_backbone(cfg: Config) -> Backbone:
    """The backbone that a configuration names, in single precision, on its device.

    Raises:
        ConfigError: none is named.
    """
    device = torch.device("cuda" if cfg.USE_CUDA and torch.cuda.is_available() else "cpu")
    return configured_backbone(cfg, device, "fp32")


def take_input_of(cfg: Config, backbone: Backbone) -> None:
    """Lets the backbone say how images are brought to it, where no file does."""
    node = cfg.INPUT
    node.SIZE, node.INTERPOLATION, node.TRANSFORMS = backbone.image_size, backbone.interpolation, ("normalize",)
    node.PIXEL_MEAN, node.PIXEL_STD = list(backbone.image_mean), list(backbone.image_std)


def affinity_config(cfg: Config) -> Config:
    """The configuration under which affinities are taken: one prompt for all tasks, in single precision.

    An image competes with its own task's classes, so that what a task's loss is does not depend on the other tasks.

    Raises:
        ConfigError: no trainer is named, or a shipped one that tunes no prompt of the kinds text, visual or both.
        UnknownNameError: there is no such trainer.
    """
    from mvlpt.trainers.frozen_clip import FrozenCLIPTrainer

    if not cfg.TRAINER.NAME:
        raise ConfigError("Affinities are of a trainer's prompt; give --trainer, or its YAML file as --config-file")
    kind = TRAINER_REGISTRY.get(cfg.TRAINER.NAME)
    if issubclass(kind, FrozenCLIPTrainer) and getattr(kind, "method", "") not in METHODS:
        raise _no_affinity(cfg.TRAINER.NAME)
    changed = cfg.clone()
    changed.defrost()
    changed.DATASET.MULTITASK_LABEL_PERTASK = True
    changed.TRAINER.COOP.PREC = changed.TRAINER.MVLPT.PREC = "fp32"
    changed.VERBOSE = False
    check_config(changed)
    changed.freeze()
    return changed


def _no_affinity(trainer: str) -> ConfigError:
    return ConfigError(
        f"{trainer} tunes no text, visual or unified prompt, of which affinities are taken; "
        "give --trainer MVLPT-CoOp, MVLPT-VPT or MVLPT-UPT"
    )


def prompt_losses_of(cfg: Config, inputs: GraphInputs) -> tuple[PromptLosses, Callable[..., torch.optim.Optimizer]]:
    """The tasks' losses under the trainer's fresh prompt, and what makes the trainer's optimiser.

    Args:
        cfg: see :func:`affinity_config`.
        inputs: the same tasks; their images are looked at in the test view.

    Raises:
        ConfigError: the trainer tunes no prompt of the kinds text, visual or both.
    """
    from mvlpt.engine.optim import build_optimizer
    from mvlpt.trainers.losses import prompt_losses

    trainer = build_trainer(cfg)
    model = getattr(trainer, "model", None)
    if not isinstance(model, PromptedCLIP) or model.options.get("method") not in METHODS:
        raise _no_affinity(cfg.TRAINER.NAME)
    model.eval()  # dropout on prompts would make the same step give another loss
    batches = {}
    multi_label = any(task.multi_label for task in trainer.dm.tasks)
    for task, source in zip(trainer.dm.tasks, inputs.sources, strict=True):
        places = _some(source)
        images = torch.stack([source.images[place]["img"] for place in places])
        items = [source.images.data_source[place] for place in places]
        classes = model.label_space.n_classes if multi_label else None
        batches[source.name] = TaskBatch(images, _labels(items, task.start, classes))
    losses = PromptLosses(model, batches, prompt_losses)
    return losses, lambda _: build_optimizer(model.prompt_learner, cfg.OPTIM)


def _some(source: TaskSource) -> list[int]:
    """Positions of a task's images: all, or as many as affinities look at, drawn by the task's name."""
    count = len(source.images.data_source)
    if not count:
        raise DataError(f"Task '{source.name}' has no training images, so nothing can be said of its gradients")
    if count <= MOST_IMAGES:
        return list(range(count))
    return sorted(python_stream("affinity images", source.name).sample(range(count), MOST_IMAGES))


def _labels(items: list[Datum], start: int, classes: int | None) -> torch.Tensor:
    """Class ids (B,) in the label space of all tasks, or multi-hot rows (B, K)."""
    if classes is None:
        return torch.tensor([start + labels_of(item)[0] for item in items])
    rows = torch.zeros(len(items), classes)
    for row, item in zip(rows, items, strict=True):
        row[[start + label for label in labels_of(item)]] = 1.0
    return rows


def describe(inputs: GraphInputs) -> dict[str, dict[str, Any]]:
    """What the graph tells of each task: classes, images, metric, and the image visits of one pass as its cost."""
    return {
        source.name: {
            "classes": len(source.class_names),
            "images": len(source.images.data_source),
            "metric": source.metric,
            "cost": len(source.images.data_source),
        }
        for source in inputs.sources
    }
