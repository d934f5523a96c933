"""What can be said against a grouping once its tasks are known, before a model is loaded or an image is read.

Shapes: T tasks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mvlpt.cli.group_inputs import affinity_config, task_sources
from mvlpt.cli.group_options import STEPS, GroupOptions
from mvlpt.config import Config
from mvlpt.engine.results import read_results
from mvlpt.graph import parse_weights
from mvlpt.graph.affinity.measured import fill_one_sided, measured_gains
from mvlpt.graph.embeddings.embed import TaskSource
from mvlpt.graph.grouping.partition import check_grouping
from mvlpt.graph.similarity.weight_fitting import measured_pairs
from mvlpt.graph.similarity.weighting import resolve_weights


def checked_sources(cfg: Config, options: GroupOptions) -> tuple[TaskSource, ...]:
    """The tasks of a frozen configuration, once it is sure that they can be grouped so.

    Raises:
        MvlptError: see :func:`~mvlpt.cli.group_inputs.task_sources` and :func:`check_options`.
    """
    sources = task_sources(cfg)
    classes = {source.name: len(source.class_names) for source in sources}
    check_options(options, [*classes], cfg, classes)
    return sources


def check_options(options: GroupOptions, tasks: Sequence[str], cfg: Config, classes: Mapping[str, int]) -> None:
    """Refuses options that these tasks cannot be grouped by, whatever their images are.

    Args:
        options: what to group by, and how.
        tasks: names.
        cfg: names the trainer whose pair runs are read, or whose prompt affinities are of.
        classes: each task's number of classes.

    Raises:
        MvlptError: a similarity, method, limit or trainer cannot be used, limits contradict, or pair runs are missing.
    """
    check_grouping(tasks, **options.constraints(), classes=classes if options.max_classes is not None else None)
    if options.similarity:
        resolve_weights(parse_weights(options.similarity))
    if options.fit:
        measured_pairs(read_gains(options.fit, tasks, cfg.TRAINER.NAME)[0], tasks)
    if options.affinity == "measured":
        fill_one_sided(read_gains(options.results, tasks, cfg.TRAINER.NAME)[0], tasks)
    if options.affinity in STEPS:
        affinity_config(cfg)


def read_gains(results: str, tasks: Sequence[str], trainer: str) -> tuple[np.ndarray, str]:
    """Measured gains (T, T) of a results file, and their trainer: the one that is named, or the only one there."""
    rows = read_results(results)
    names = {row["trainer"] for row in rows if row["arm"] in ("pair", "transfer")}
    chosen = trainer if trainer in names or len(names) != 1 else next(iter(names))
    return measured_gains(rows, tasks, trainer=chosen), chosen
