"""The tasks of a configuration as the task graph needs them: few-shot images, class names, and the frozen model."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from mvlpt.config import Config, task_names
from mvlpt.data import DataManager, DatasetWrapper
from mvlpt.data.loading import transform_of
from mvlpt.engine import configured_backbone
from mvlpt.errors import ConfigError
from mvlpt.graph.embeddings import TaskSource
from mvlpt.models import Backbone


@dataclass(frozen=True)
class GraphInputs:
    """What a task graph is computed from.

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
        raise ConfigError("No task is named; give --dataset a,b,c, or an experiment file as --config-file")
    if cfg.INPUT.NO_TRANSFORM:
        raise ConfigError("INPUT.NO_TRANSFORM leaves images as they are, but the backbone takes tensors; drop it")
    with DataManager(cfg) as manager:
        members = getattr(manager.dataset, "members", None) or [manager.dataset]
        sources = []
        for position, (task, member) in enumerate(zip(manager.tasks, members, strict=True)):
            images = DatasetWrapper(
                cfg,
                list(member.train_x or ()),
                transform=transform_of(manager.tfm_test, position),
                transparency=task.transparency,
            )
            sources.append(TaskSource(task.name, task.classnames, images, task.templates, task.metric))
    return tuple(sources)


def graph_inputs(cfg: Config, sources: tuple[TaskSource, ...]) -> GraphInputs:
    """The tasks of a frozen configuration together with its model.

    Raises:
        ConfigError: no backbone is named, or images do not have its size.
        BackboneError: it cannot be loaded.
    """
    backbone = graph_backbone(cfg)
    backbone.require_image_size(tuple(cfg.INPUT.SIZE))
    return GraphInputs(cfg, backbone, sources)


def graph_backbone(cfg: Config) -> Backbone:
    """The backbone that a configuration names, in single precision, on its device.

    Raises:
        ConfigError: none is named.
        BackboneError: it cannot be loaded.
    """
    device = torch.device("cuda" if cfg.USE_CUDA and torch.cuda.is_available() else "cpu")
    return configured_backbone(cfg, device, "fp32")


def use_input_of(backbone: Backbone, cfg: Config) -> None:
    """Sets image size, interpolation and normalisation of an unfrozen configuration to those of the backbone."""
    node = cfg.INPUT
    node.SIZE, node.INTERPOLATION, node.TRANSFORMS = backbone.image_size, backbone.interpolation, ("normalize",)
    node.PIXEL_MEAN, node.PIXEL_STD = list(backbone.image_mean), list(backbone.image_std)
