"""The mean image feature of a run's tasks, under the frozen model."""

from __future__ import annotations

import numpy as np

from mvlpt.config import Config
from mvlpt.experiment.grouping import task_sources
from mvlpt.graph.embeddings import embed_tasks
from mvlpt.models import Backbone


def embedded_task(cfg: Config, backbone: Backbone) -> np.ndarray:
    """The mean (E,) over the tasks of a configuration of the mean feature of their few-shot training images.

    Raises:
        MvlptError: a task has no training images, or they cannot be read.
    """
    sources = task_sources(cfg)
    options = {"batch_size": cfg.DATALOADER.TEST.BATCH_SIZE, "on_bad_image": cfg.DATASET.ON_BAD_IMAGE}
    found = embed_tasks(backbone, sources, **options)
    return np.mean([embedding.mean for embedding in found.embeddings], axis=0)
