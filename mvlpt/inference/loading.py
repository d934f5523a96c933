"""Loading a run or a prompt as a classifier: the model that the run tested, and how it prepared its images."""

from __future__ import annotations

import os
from collections.abc import Sequence

import torch

from mvlpt.dassl import load_installed_plugins
from mvlpt.engine import load_shipped
from mvlpt.errors import CheckpointError
from mvlpt.inference.classifier import Classifier, checked_device
from mvlpt.inference.prompts import prompt_decides, prompt_parts
from mvlpt.inference.request import Request
from mvlpt.inference.runs import run_config_of, run_parts
from mvlpt.inference.sources import find_source
from mvlpt.inference.tasks import recorded_infos
from mvlpt.models import Backbone, load_prompt


def load(
    path: str | os.PathLike[str],
    task: str | None = None,
    classes: Sequence[str] | None = None,
    backbone: str | Backbone | None = None,
    device: str | torch.device | None = None,
    *,
    pretrained: str | None = None,
    force: bool = False,
) -> Classifier:
    """A run or a tuned prompt as a classifier.

    Example::

        classifier = load("output/alone")
        print(classifier.predict("photo.png"))

    Args:
        path: a run's folder, a job's folder of an experiment, ``prompt.safetensors``, or a checkpoint of a run.
        task: one of the tasks that share the prompt; needed where there are several.
        classes: new classes instead of the task's; not for class-specific prompts, probes and classifiers.
        backbone: a loaded model, or the name of one, instead of the one that is recorded.
        device: by default a GPU where there is one.
        pretrained: tag or file of the backbone's weights, where the recorded ones are not found.
        force: use a prompt on other weights than those it was trained with.

    Raises:
        CheckpointError: nothing is there, it is damaged, or task, classes or backbone do not fit.
        BackboneError: the backbone cannot be loaded.
        ConfigError: the run's options cannot be read, its trainer is not registered, or there is no such device.
    """
    load_shipped()
    load_installed_plugins()
    source, request = find_source(path), Request(task, classes, backbone, pretrained, force)
    cfg = run_config_of(source) if source.has_config else None
    if source.prompt is not None and (cfg is None or prompt_decides(cfg)):
        parts = prompt_parts(source, load_prompt(source.prompt), cfg, request)
    elif cfg is not None:
        parts = run_parts(source, cfg, request)
    else:
        raise CheckpointError(f"{source.asked} holds neither a configuration nor a prompt")
    return Classifier(*parts, checked_device(device))


def trained_tasks(path: str | os.PathLike[str]) -> list[str]:
    """Names of the tasks that a run or a prompt was trained on, in the order of its classes.

    Raises:
        MvlptError: see :func:`load`.
    """
    load_shipped()
    load_installed_plugins()
    source = find_source(path)
    cfg = run_config_of(source) if source.has_config else None
    prompt = load_prompt(source.prompt) if source.prompt is not None else None
    return [info.name for info in recorded_infos(source, prompt, cfg)]
