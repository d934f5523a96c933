"""The tasks of a run as a library sees them: the mean image feature under the frozen model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mvlpt.config import Config
from mvlpt.errors import LibraryError
from mvlpt.experiment.grouping import task_sources
from mvlpt.graph.embeddings import TaskSource, embed_tasks
from mvlpt.models import Backbone


def only_task(cfg: Config) -> TaskSource:
    """The one task of a configuration.

    Raises:
        LibraryError: there are several.
    """
    sources = task_sources(cfg)
    if len(sources) != 1:
        raise LibraryError(f"A library suggests prompts for one task, not {len(sources)}; name one")
    return sources[0]


def embedded_task(cfg: Config, backbone: Backbone, sources: Sequence[TaskSource] | None = None) -> np.ndarray:
    """The mean (E,) over the tasks of a configuration of the mean feature of their few-shot training images.

    Args:
        cfg: of the tasks.
        backbone: the frozen model.
        sources: the tasks, if they have been built already.

    Raises:
        MvlptError: a task has no training images, or they cannot be read.
    """
    sources = sources or task_sources(cfg)
    options = {"batch_size": cfg.DATALOADER.TEST.BATCH_SIZE, "on_bad_image": cfg.DATASET.ON_BAD_IMAGE}
    found = embed_tasks(backbone, sources, **options)
    return np.mean([embedding.mean for embedding in found.embeddings], axis=0)
