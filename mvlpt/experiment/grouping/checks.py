"""Checks of a grouping that need its tasks, but no model and no image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mvlpt.config import Config
from mvlpt.experiment.grouping.gains import read_gains
from mvlpt.experiment.grouping.options import STEPS, GroupingOptions
from mvlpt.graph import check_grouping, fill_one_sided, parse_weights
from mvlpt.graph.similarity import measured_pairs, resolve_weights

if TYPE_CHECKING:
    from mvlpt.graph.embeddings import TaskSource


def checked_sources(cfg: Config, options: GroupingOptions) -> tuple[TaskSource, ...]:
    """The tasks of a frozen configuration, after it is certain that they can be grouped by these options.

    Raises:
        MvlptError: see :func:`~mvlpt.experiment.grouping.sources.task_sources` and :func:`check_options`.
    """
    from mvlpt.experiment.grouping.sources import task_sources  # loads torch

    sources = task_sources(cfg)
    classes = {source.name: len(source.class_names) for source in sources}
    check_options(options, [*classes], cfg, classes)
    return sources


def check_options(options: GroupingOptions, tasks: Sequence[str], cfg: Config, classes: Mapping[str, int]) -> None:
    """Refuses options that these tasks cannot be grouped by, whatever their images are.

    Args:
        options: what to group by, and how.
        tasks: names.
        cfg: names the trainer whose pair runs are read, or whose prompt affinities are computed for.
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
        from mvlpt.experiment.grouping.prompt_losses import affinity_config  # loads torch

        affinity_config(cfg)
