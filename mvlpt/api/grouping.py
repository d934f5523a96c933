"""``mvlpt.group``: which tasks should share a prompt."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from mvlpt.api.recipes import OUTPUT, task_words
from mvlpt.engine import shared_resources
from mvlpt.errors import ConfigError
from mvlpt.experiment.grouping import DataChoice, GroupingResult, find_groups, grouping_requests
from mvlpt.runtime import counting

Pathlike = str | os.PathLike[str]


def group(
    tasks: Sequence[Pathlike],
    backbone: str = "",
    shots: int | None = None,
    seed: int = 1,
    *,
    config: Pathlike = "",
    output_dir: Pathlike | None = None,
    root: Pathlike = "",
    plugins: Sequence[Pathlike] = (),
    verbose: bool = True,
    **options: Any,
) -> GroupingResult:
    """Builds the graph of tasks and picks the groups that should share a prompt, as ``mvlpt group`` does.

    Example::

        found = mvlpt.group(["weather-dark", "files-dark", "tools-dark"], groups=2)
        print(found.grouping.groups)

    Args:
        tasks: folders, task files or names.
        backbone: the frozen model whose features are compared; by default ``embedded``.
        shots: training images per class that are read; by default all.
        seed: of the few-shot sample.
        config: a trainer's options or an experiment, as for ``mvlpt group --config-file``.
        output_dir: where graph and groups are written, and kept for the next call; by default ``output/groups``.
        root: folder of the benchmarks' data.
        plugins: files that register data sets or similarities.
        verbose: show progress.
        options: how to group: ``groups``, ``max_size``, ``similarity``, ``affinity``, ``method``, ...; the keys of an
            experiment's section ``grouping``.

    Returns:
        The groups (``.grouping.groups``), the graph, the matrix that was grouped, and the files.

    Raises:
        MvlptError: tasks, options or files cannot be used.
    """
    data = DataChoice(tuple(task_words(tasks)), backbone, os.fspath(root), shots, seed)
    requests = grouping_requests(os.fspath(config), data, options, plugins=plugins)
    if len(requests) > 1:
        raise ConfigError(f"{config} has several trainers, which are grouped one by one; name a file of one trainer")
    folder = Path(output_dir) if output_dir is not None else OUTPUT / "groups"
    with shared_resources():
        return find_groups(requests[0], folder, partial(counting, shown=verbose))
