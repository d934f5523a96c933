"""A run of any trainer as the model of a classifier: the trainer is built again and its weights are loaded."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from yacs.config import CfgNode

from mvlpt.config import check_config, get_cfg_default
from mvlpt.data import TaskInfo, recorded_tasks
from mvlpt.engine import (
    CONFIG_FILE,
    TRAINER_REGISTRY,
    Resources,
    build_trainer,
    current_resources,
    extend_config,
    load_weights,
    origin_of,
    shared_resources,
)
from mvlpt.errors import CheckpointError, ConfigError, MvlptError, suggest
from mvlpt.inference.preprocessing import Preprocessing
from mvlpt.inference.request import Request
from mvlpt.inference.scorers import TrainerScorer
from mvlpt.inference.sources import Source
from mvlpt.inference.tasks import choose_task, recorded_infos, with_classes
from mvlpt.io import clean_text

log = logging.getLogger(__name__)


def run_config_of(source: Source) -> CfgNode:
    """The run's configuration.

    Raises:
        ConfigError: its trainer is not registered, or the file cannot be read, or has values that do not fit.
    """
    sections = source.config()
    trainer = sections.get("TRAINER")
    name = trainer.get("NAME") if isinstance(trainer, dict) else None
    if not isinstance(name, str) or name not in TRAINER_REGISTRY.registered_names():
        raise ConfigError(
            f"{source.folder} is a run of the trainer '{name}', which is not registered; name the file that registers"
            f" it with --plugin{suggest(str(name), TRAINER_REGISTRY.registered_names())}"
        )
    cfg = get_cfg_default()
    extend_config(cfg, name)
    file = source.folder / CONFIG_FILE
    cfg.merge_from_file(file)
    try:
        check_config(cfg)
    except ConfigError as error:
        raise ConfigError(f"In {file}: {error}") from error
    return cfg


def run_parts(source: Source, cfg: CfgNode, request: Request) -> tuple[TaskInfo, RunMaker]:
    """The classes of a classifier, and what makes its model on a device.

    Args:
        source: the run.
        cfg: its configuration.
        request: what the user wants.

    Raises:
        CheckpointError: there is no such task, or a loaded backbone is given, which a trainer does not take.
    """
    if not isinstance(request.backbone, str | None):
        raise CheckpointError(f"{source.asked} is built by its trainer, which takes the name of a backbone only")
    tasks = recorded_infos(source, None, cfg)
    if request.classes is None:
        index = choose_task(tasks, request.task, source)
    else:
        tasks, index = [with_classes(tasks, request.task, request.classes, source)], 0
    changed = cfg.clone()
    changed.defrost()
    changed.RUN.FORCE = request.force
    if request.backbone is not None:
        changed.MODEL.BACKBONE.NAME = request.backbone
    if request.pretrained is not None:
        changed.MODEL.BACKBONE.PRETRAINED = request.pretrained
    chosen = replace(tasks[index], start=0, stop=tasks[index].num_classes)
    return chosen, RunMaker(source, changed, tasks, index, request.classes is not None, current_resources())


@dataclass(frozen=True)
class RunMaker:
    """Builds the trainer of a run and loads its weights.

    Attributes:
        source: the run.
        cfg: its configuration, with what the user changed.
        tasks: all its tasks.
        index: the one to classify for.
        new_classes: the tasks' classes are not the run's.
        resources: loaded backbones.
    """

    source: Source
    cfg: CfgNode
    tasks: Sequence[TaskInfo]
    index: int
    new_classes: bool
    resources: Resources

    def __call__(self, device: torch.device) -> tuple[TrainerScorer, Preprocessing]:
        """The model on a device, and how its images are prepared.

        Raises:
            CheckpointError: the weights are missing, or belong to other classes or another backbone.
            MvlptError: the trainer cannot be built.
        """
        cfg, task = self.cfg, self.tasks[self.index]
        preprocessing = Preprocessing.of_config(cfg, center_crop=task.center_crop, transparency=task.transparency)
        with shared_resources(self.resources):
            trainer = _built(_only_to_predict(cfg, device), self.tasks, self.source)
        names = trainer.get_model_names()
        if self.new_classes and names and origin_of(trainer).class_bound:
            raise CheckpointError(
                f"{self.source.asked} has weights for each of its own classes, so it cannot take new ones:"
                f" {', '.join(task.classnames)}"
            )
        if names:
            evaluated = cfg.RUN.MODE == "eval"  # it has no weights of its own
            if not evaluated:
                _check_begun(self.source, names)
            weights = (cfg.RUN.INIT_FROM, cfg.RUN.INIT_EPOCH) if evaluated else (self.source.folder, self.source.epoch)
            load_weights(trainer, *weights)
        several = any(one.multi_label for one in self.tasks)
        return TrainerScorer(trainer, self.index, task.start, task.stop, multi_label=several), preprocessing


def _check_begun(source: Source, names: Sequence[str]) -> None:
    """Refuses a run that was stopped before it had weights.

    Raises:
        CheckpointError: says how to go on with it.
    """
    state = source.state().get("state", "finished")
    if state != "finished" and not any((source.folder / name).is_dir() for name in names):
        raise CheckpointError(
            f"The run in {source.folder} is {clean_text(state)} and has no weights yet; go on with it:"
            f" mvlpt train --resume {source.folder}"
        )


def _only_to_predict(cfg: CfgNode, device: torch.device) -> CfgNode:
    """The configuration of a trainer that neither trains nor tests nor writes."""
    chosen = cfg.clone()
    chosen.defrost()
    chosen.USE_CUDA, chosen.VERBOSE, chosen.RESUME = device.type == "cuda", False, ""
    chosen.RUN.MODE, chosen.RUN.INIT_FROM = "eval", ""
    chosen.TEST.FINAL_MODEL, chosen.TEST.NO_TEST = "last_step", True
    chosen.DATALOADER.NUM_WORKERS = 0
    chosen.DATASET.SAMPLES_DIR, chosen.DATALOADER.FEATURE_DIR = "", ""
    chosen.freeze()
    return chosen


def _built(cfg: CfgNode, tasks: Sequence[TaskInfo], source: Source) -> Any:
    """The trainer with its models, from the recorded tasks; from the data, where it cannot do without images."""
    try:
        with recorded_tasks(tasks):
            return build_trainer(cfg)
    except MvlptError:
        raise
    except Exception as error:
        log.info("%s needs the images of its tasks to be built (%s)", cfg.TRAINER.NAME, error)
    try:
        return build_trainer(cfg)
    except MvlptError as error:
        raise CheckpointError(
            f"{source.asked} is a run of {cfg.TRAINER.NAME}, which cannot be built without the images of its tasks:"
            f" {error}"
        ) from error
