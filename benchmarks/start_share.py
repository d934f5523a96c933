"""Scores of adapted prompts that keep a share of the prompt they started from (``RUN.START_SHARE``), without training.

A run with a share ends in the mean of its start and of what a run without one ends in, so that all shares follow from
the prompts of an experiment with the arm ``adapted`` at share 0. ``benchmarks/sharing.py`` has them as the part
``shares``: ``keep25-look`` is the prompt of a look, adapted, with a quarter of the look's own prompt.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import torch

import mvlpt
from benchmarks.validation_tasks import splits_of
from mvlpt.experiment import Experiment, preview_experiment
from mvlpt.inference import Classifier

SHARES = (0.25, 0.5, 0.75)
Images = Callable[[Classifier], tuple[Sequence[Any] | torch.Tensor, np.ndarray]]


def validation_images(classifier: Classifier) -> tuple[list[str], np.ndarray]:
    """Files and labels of the images that a classifier's validation task is tested on."""
    return _test_images(classifier.task.name)


@cache
def _test_images(task: str) -> tuple[list[str], np.ndarray]:
    """Files and labels, by the name of the task."""
    items = splits_of(task)["test"]
    return [item.impath for item in items], np.array([item.label for item in items])


def blended_scores(
    experiment: Experiment, folder: Path, shares: Sequence[float] = SHARES, images: Images = validation_images
) -> Iterator[tuple[float, str, float]]:
    """The accuracy of every adapted prompt of a finished experiment.

    Args:
        experiment: whose arm ``adapted`` has run with ``RUN.START_SHARE`` 0.
        folder: of its runs.
        shares: of the start.
        images: gives what to test a classifier on, and the labels (N,).

    Yields:
        share, task, accuracy in percent.
    """
    plan = preview_experiment(experiment, folder).plan
    jobs = {job.id: job for job in plan}
    for job in plan:
        if job.labels.get("arm") == "adapted":
            start = next(jobs[need] for need in job.needs if jobs[need].kind != "features")
            for share, value in zip(
                shares, _scores(folder / job.name, folder / start.name, shares, images), strict=True
            ):
                yield share, job.labels["task"], value


def _scores(adapted: Path, start: Path, shares: Sequence[float], images: Images) -> Iterator[float]:
    """The accuracy at each share."""
    classifier = mvlpt.load(adapted)
    before = dict(mvlpt.load(start, task=classifier.task.name).model.prompt_learner.named_parameters())
    after = {name: value.detach().clone() for name, value in _trained(classifier)}
    inputs, labels = images(classifier)
    for share in shares:
        with torch.no_grad():
            for name, value in _trained(classifier):
                value.copy_(after[name].lerp(before[name], share))
        yield accuracy(classifier, inputs, labels)


@torch.no_grad()
def accuracy(classifier: Classifier, inputs: Sequence[Any] | torch.Tensor, labels: np.ndarray) -> float:
    """In percent, on images or on their features (N, E)."""
    known = isinstance(inputs, torch.Tensor)
    logits = inputs @ classifier.class_weights().t() if known else classifier.logits(inputs)
    return 100 * float((logits.argmax(dim=1).numpy() == labels).mean())


def _trained(classifier: Classifier) -> Iterator[tuple[str, torch.nn.Parameter]]:
    return classifier.model.prompt_learner.named_parameters()
